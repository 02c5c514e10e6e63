#include "pipeline/array_files/npz.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>
#include <vector>

#include "pipeline/array_files/npy.h"
#include "pipeline/array_files/zip.h"

namespace satdl {
namespace {

constexpr std::string_view kEnding = ".npy";
constexpr std::size_t kHeaderBytes = 1 << 17;  // more than a .npy header can have
constexpr std::size_t kMaxListed = 10;

// "x" of the member "x.npy": what numpy.load calls it.
std::string_view array_name(const ZipMember& member) {
    const std::string_view name = member.name;
    return name.ends_with(kEnding) ? name.substr(0, name.size() - kEnding.size()) : name;
}

// Programs differ in which of the two they take.
void check_names_differ(const BinaryFile& archive, const std::vector<ZipMember>& members) {
    std::set<std::string_view> names;
    for (const ZipMember& member : members) {
        if (!names.insert(member.name).second)
            throw archive.error(fmt::format("two of its members have the name {}", printable(member.name)),
                                "write it again with numpy.savez, a name for each array");
    }
}

ZipMember chosen(BinaryFile& archive, const std::string& name) {
    const std::vector<ZipMember> members = zip_members(archive);
    check_names_differ(archive, members);
    std::vector<std::string> names;
    for (const ZipMember& member : members) {
        if (!member.name.ends_with(kEnding)) continue;
        if (array_name(member) == name) return member;
        names.push_back(printable(array_name(member)));
    }
    if (name.empty() && names.size() == 1)
        return *std::ranges::find_if(members, [](const ZipMember& member) { return member.name.ends_with(kEnding); });
    if (names.empty()) throw archive.error("is a zip archive without arrays: no member ends with .npy", "unpack it first");
    const std::size_t listed = std::min(names.size(), kMaxListed);
    const std::string list = fmt::format("{}{}", fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(listed), ", "),
                                         listed < names.size() ? ", ..." : "");
    if (name.empty())
        throw archive.error(fmt::format("it contains {} arrays: {}", names.size(), list), "name the one to read, array: NAME");
    throw archive.error(fmt::format("it has no array '{}'", printable(name)), fmt::format("it contains {}", list));
}

}  // namespace

Array read_npz(BinaryFile& archive, const std::string& name, std::optional<std::int64_t> limit) {
    const ZipMember member = chosen(archive, name);
    BinaryFile file(archive.path() / member.name, unpack(archive, member), member.size);
    return read_npy(file, limit);
}

ArrayType read_npz_type(BinaryFile& archive, const std::string& name) {
    const ZipMember member = chosen(archive, name);
    BinaryFile file(archive.path() / member.name, unpack(archive, member, kHeaderBytes), member.size);
    return read_npy_type(file);
}

}  // namespace satdl
