// The stat cache over source files. Content decides; stat only saves reading. Read in pieces, not mapped: a file that
// somebody cuts meanwhile must be told as such, and not end the program.
#include "pipeline/store/source_digest.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

namespace satdl {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{4} << 20;
constexpr std::int64_t kYoungNanoseconds = 2'000'000'000;

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

Digest as_promised(const SourceFile& file, const Digest& digest) {
    if (file.expected && *file.expected != digest) {
        fail(file, fmt::format(" is not the one that its manifest names: its SHA-256 is {}, expected {}", digest.hex(),
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
        fail(file, " changed while it was read", "run again when nobody writes it any more");
    }
    return digest.finish();
}

bool is_young(const FileStamp& identity) {
    using namespace std::chrono;
    const std::int64_t now = duration_cast<nanoseconds>(system_clock::now().time_since_epoch()).count();
    return std::max(identity.modified_nanoseconds, identity.changed_nanoseconds) > now - kYoungNanoseconds;
}

}  // namespace

Digest source_digest(const SourceFile& file, Index& index, FileSystem& files) {
    const FileStamp identity = identity_of(file, files);
    auto digest = index.file_digest(file.path, identity);
    if (!digest) {
        const bool remember = !is_young(identity);
        index.commit_so_far();
        digest = read_digest(file, identity, files);
        if (remember) index.put_file_digest(file.path, identity, *digest);
    }
    return as_promised(file, *digest);
}

Digest source_digest(const SourceFile& file, FileSystem& files) {
    return as_promised(file, read_digest(file, identity_of(file, files), files));
}

}  // namespace satdl
