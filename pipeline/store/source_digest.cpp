// The stat cache of source files. Content decides; stat only saves reading. Read in pieces, not mapped: a file that
// is truncated meanwhile must be reported, and not kill the program.
#include "pipeline/store/source_digest.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

namespace satdl {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{4} << 20;
constexpr std::int64_t kRecentNanoseconds = 2'000'000'000;

std::string named(const SourceFile& file) {
    const std::string path = printable(file.path.string());
    if (file.dataset.empty()) return fmt::format("the file '{}'", path);
    return fmt::format("the file '{}' of dataset '{}'", path, file.dataset);
}

[[noreturn]] void fail(const SourceFile& file, const std::string& what, const std::string& hint = {}) {
    Diagnostic diagnostic{file.place, named(file) + what, hint};
    if (!file.dataset.empty()) diagnostic.hint = fmt::format("fetch it again: satdl data fetch {}", file.dataset);
    throw Error(ExitCode::Store, std::vector{std::move(diagnostic)});
}

FileStamp identity_of(const SourceFile& file, FileSystem& files) {
    const auto identity = files.stamp(file.path);
    if (!identity) fail(file, " does not exist");
    return *identity;
}

Digest check_expected(const SourceFile& file, const Digest& digest) {
    if (file.expected && *file.expected != digest) {
        fail(file, fmt::format(" does not match its manifest: its SHA-256 is {}, expected {}", digest.hex(),
                               file.expected->hex()));
    }
    return digest;
}

Digest read_digest(const SourceFile& file, const FileStamp& before, FileSystem& files) {
    Sha256 digest;
    const std::unique_ptr<File> opened = files.open(file.path);
    for (std::uint64_t at = 0; at < before.bytes;) {
        const std::string piece = opened->read(at, kPieceBytes);
        if (piece.empty()) break;
        digest.update(piece);
        at += piece.size();
    }
    if (files.stamp(file.path) != before) {
        fail(file, " changed while it was read", "run again when nothing writes to it any more");
    }
    return digest.finish();
}

bool is_recent(const FileStamp& identity) {
    using namespace std::chrono;
    const std::int64_t now = duration_cast<nanoseconds>(system_clock::now().time_since_epoch()).count();
    return std::max(identity.modified_nanoseconds, identity.changed_nanoseconds) > now - kRecentNanoseconds;
}

}  // namespace

Digest source_digest(const SourceFile& file, Index& index, FileSystem& files) {
    const FileStamp identity = identity_of(file, files);
    auto digest = index.file_digest(file.path, identity);
    if (!digest) {
        const bool remember = !is_recent(identity);
        index.commit_so_far();
        digest = read_digest(file, identity, files);
        if (remember) index.put_file_digest(file.path, identity, *digest);
    }
    return check_expected(file, *digest);
}

Digest source_digest(const SourceFile& file, FileSystem& files) {
    return check_expected(file, read_digest(file, identity_of(file, files), files));
}

}  // namespace satdl
