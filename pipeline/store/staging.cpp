#include "pipeline/store/staging.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <fstream>
#include <optional>
#include <string>

#include "pipeline/core/digest.h"

namespace satdl {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kOldNanoseconds = std::int64_t{24} * 3600 * 1'000'000'000;

// Tells this process's files in tmp/ from those of another host, boot or container, whose process numbers mean nothing here. Not through
// FileSystem, which takes stat's word for a file's length: files below /proc say 0.
const std::string& origin_of_process() {
    static const std::string origin = []() -> std::string {
        std::string boot;
        std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), boot);
        std::error_code ignored;
        const std::string space = fs::read_symlink("/proc/self/ns/pid", ignored).string();
        return boot.empty() || space.empty() ? "" : sha256(boot + space).hex().substr(0, 16);  // "": not known
    }();
    return origin;
}

// "<name>.<origin>.<process>.<number>": whether that process, of this very origin, still lives. nullopt where that cannot be known.
std::optional<bool> writer_lives(const std::string& name) {
    const std::string& origin = origin_of_process();
    std::array<std::string_view, 4> parts;
    std::string_view rest = name;
    for (std::string_view& part : parts) {
        const std::size_t dot = std::min(rest.find('.'), rest.size());
        part = rest.substr(0, dot);
        rest = rest.substr(std::min(dot + 1, rest.size()));
    }
    pid_t process = 0;
    const auto [end, error] = std::from_chars(parts[2].data(), parts[2].data() + parts[2].size(), process);
    if (origin.empty() || parts[1] != origin || error != std::errc() || process <= 0) return std::nullopt;
    return ::kill(process, 0) == 0 || errno == EPERM;
}

std::int64_t now_nanoseconds() {
    using namespace std::chrono;
    return duration_cast<nanoseconds>(system_clock::now().time_since_epoch()).count();
}

}  // namespace

void Staging::prepare() { files_.make_folders(folder_); }

LinkResult Staging::write_and_link(std::uint64_t size, std::span<const Extent> extents, const fs::path& path) {
    const fs::path tmp = write(size, extents, path.filename().string());
    const auto remove_tmp = [&] {
        try {
            files_.remove(tmp);
        } catch (const FileError&) {  // a later sweep removes it
        }
    };
    try {
        const LinkResult result = files_.link_new(tmp, path);
        remove_tmp();
        return result;
    } catch (...) {
        remove_tmp();
        throw;
    }
}

// A dead process may have had this process number, and left a file of this name.
fs::path Staging::write(std::uint64_t size, std::span<const Extent> extents, std::string name) {
    std::ranges::replace(name, '.', '-');
    while (true) {
        const fs::path tmp = folder_ / fmt::format("{}.{}.{}.{}", name, origin_of_process(), ::getpid(), written_.fetch_add(1));
        try {
            files_.write_new(tmp, size, extents);
            return tmp;
        } catch (const FileError& error) {
            if (error.number() != EEXIST) throw;
        }
    }
}

void Staging::sweep() {
    try {
        for (const std::string& name : files_.list(folder_)) {
            const fs::path path = folder_ / name;
            const auto identity = files_.stamp(path);
            if (!identity) continue;
            const bool is_old = identity->modified_nanoseconds < now_nanoseconds() - kOldNanoseconds;
            if (!writer_lives(name).value_or(!is_old)) files_.remove(path);
        }
    } catch (const FileError&) {
    }
}

}  // namespace satdl
