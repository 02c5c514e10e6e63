#include "pipeline/array_files/zip.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <string_view>

namespace satdl {
namespace {

constexpr std::string_view kEndMark = "PK\5\6", kEntryMark = "PK\1\2", kMemberMark = "PK\3\4";
constexpr std::size_t kEndBytes = 22, kEntryBytes = 46, kMemberBytes = 30;
constexpr std::size_t kLongestComment = 0xffff;
constexpr std::uint64_t kZip64 = 0xffffffff;           // "see elsewhere", instead of a size or an offset
constexpr std::uint64_t kDirectoryMax = 64 << 20;
constexpr std::uint64_t kMaxExpansion = 1100;  // deflate reaches 1032
constexpr int kDeflated = 8;

// A little-endian number of `bytes` bytes. Precondition: the text has them.
std::uint64_t number(std::string_view text, std::size_t at, std::size_t bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = bytes; i-- > 0;) value = value << 8 | static_cast<unsigned char>(text[at + i]);
    return value;
}

Error damaged(const BinaryFile& archive) {
    return archive.error("is a damaged zip archive", "is the file incomplete? download it or write it again with numpy.savez");
}

Error too_large(const BinaryFile& archive) {
    return archive.error("is a zip archive of more than 2 GiB", "write its arrays one by one, with numpy.save");
}

// Raw deflate, at most `max` bytes of what it gives. Fewer: it is not that, or it ends too early.
std::string inflated(std::string_view packed, std::size_t max) {
    std::string bytes(max, '\0');
    z_stream stream{};
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return "";
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));  // zlib's interface; it only reads them
    stream.avail_in = static_cast<uInt>(packed.size());
    stream.next_out = reinterpret_cast<Bytef*>(bytes.data());
    stream.avail_out = static_cast<uInt>(bytes.size());
    (void)inflate(&stream, Z_FINISH);
    bytes.resize(stream.total_out);
    inflateEnd(&stream);
    return bytes;
}

}  // namespace

std::vector<ZipMember> zip_members(BinaryFile& archive) {
    const std::uint64_t tail_at = archive.size() - std::min<std::uint64_t>(archive.size(), kEndBytes + kLongestComment);
    const std::string tail = archive.peek(tail_at, kEndBytes + kLongestComment);
    const std::size_t end = tail.rfind(kEndMark);
    if (end == std::string::npos || tail.size() - end < kEndBytes) throw damaged(archive);
    const std::uint64_t entries = number(tail, end + 10, 2), bytes = number(tail, end + 12, 4), from = number(tail, end + 16, 4);
    if (bytes == kZip64 || from == kZip64) throw too_large(archive);
    if (bytes > kDirectoryMax) throw damaged(archive);
    const std::string directory = archive.peek(from, bytes);
    std::vector<ZipMember> members;
    std::size_t at = 0;
    for (std::uint64_t i = 0; i < entries; ++i) {
        const std::string_view entry = std::string_view(directory).substr(std::min(at, directory.size()));
        if (entry.size() < kEntryBytes || !entry.starts_with(kEntryMark)) throw damaged(archive);
        const std::size_t name = number(entry, 28, 2), more = number(entry, 30, 2) + number(entry, 32, 2);
        if (entry.size() < kEntryBytes + name + more) throw damaged(archive);
        ZipMember member{.name = std::string(entry.substr(kEntryBytes, name)),
                         .offset = number(entry, 42, 4),
                         .packed = number(entry, 20, 4),
                         .size = number(entry, 24, 4),
                         .crc = static_cast<std::uint32_t>(number(entry, 16, 4)),
                         .deflated = number(entry, 10, 2) == kDeflated};
        if (std::max({member.offset, member.packed, member.size}) == kZip64) throw too_large(archive);
        const bool encrypted = (number(entry, 8, 2) & 1) != 0;
        if (encrypted || (!member.deflated && number(entry, 10, 2) != 0))
            throw archive.error(fmt::format("its member {} is {}", printable(member.name),
                                            encrypted ? "encrypted" : "packed in an unusual way"),
                                "write it again with numpy.savez");
        if (!member.deflated && member.packed != member.size) throw damaged(archive);
        // A size that cannot be is refused before memory is taken for it.
        if (member.offset + member.packed > archive.size() || member.size / kMaxExpansion > member.packed) throw damaged(archive);
        members.push_back(std::move(member));
        at += kEntryBytes + name + more;
    }
    return members;
}

std::string unpack(BinaryFile& archive, const ZipMember& member, std::size_t max) {
    const std::string header = archive.peek(member.offset, kMemberBytes);
    if (header.size() < kMemberBytes || !header.starts_with(kMemberMark)) throw damaged(archive);
    const std::uint64_t from = member.offset + kMemberBytes + number(header, 26, 2) + number(header, 28, 2);
    const std::size_t size = std::min<std::size_t>(member.size, max);
    const bool whole = size == member.size;
    std::string bytes = archive.peek(from, whole || member.deflated ? member.packed : size);
    if (member.deflated) bytes = inflated(bytes, size);
    if (bytes.size() != size) throw damaged(archive);
    const auto* const start = reinterpret_cast<const Bytef*>(bytes.data());
    if (whole && crc32(0, start, static_cast<uInt>(size)) != member.crc)
        throw archive.error(fmt::format("its member {} does not have the CRC that the archive gives", printable(member.name)),
                            "the file is damaged: download it or write it again");
    return bytes;
}

}  // namespace satdl
