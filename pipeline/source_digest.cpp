// The stat cache over source files. Content decides; stat only saves reading. Read in pieces, not mapped: a file that somebody
// cuts meanwhile must be told as such, and not end the program.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "pipeline/index.h"

namespace satdl {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{4} << 20;
constexpr std::int64_t kYoungNanoseconds = 2'000'000'000;

std::string named(const SourceFile& file) {
    const std::string path = printable(file.path.string());
    return file.dataset.empty() ? fmt::format("the file '{}'", path) : fmt::format("the file '{}' of dataset '{}'", path, file.dataset);
}

[[noreturn]] void fail(const SourceFile& file, const std::string& what, const std::string& hint = {}) {
    const std::string fetch = fmt::format("fetch it again: satdl data fetch {}", file.dataset);
    throw Error(ExitCode::Store, std::vector<Diagnostic>{{file.place, named(file) + what, file.dataset.empty() ? hint : fetch}});
}

Digest read_digest(const SourceFile& file, const FileIdentity& before, FileSystem& files) {
    Sha256 digest;
    for (std::uint64_t at = 0; at < before.bytes;) {
        const std::string piece = files.read(file.path, at, kPieceBytes);
        if (piece.empty()) break;
        digest.update(piece);
        at += piece.size();
    }
    if (files.identity(file.path) != before) fail(file, " changed while it was read", "run again when nobody writes it any more");
    return digest.finish();
}

bool is_young(const FileIdentity& identity) {
    const auto now = std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch());
    return std::max(identity.modified_nanoseconds, identity.changed_nanoseconds) > now.count() - kYoungNanoseconds;
}

}  // namespace

Digest source_digest(const SourceFile& file, Index& index, FileSystem& files) {
    const auto identity = files.identity(file.path);
    if (!identity) fail(file, " does not exist");
    auto digest = index.file_digest(file.path, *identity);
    if (!digest) {
        const bool remember = !is_young(*identity);
        digest = read_digest(file, *identity, files);
        if (remember) index.put_file_digest(file.path, *identity, *digest);
    }
    if (file.expected && *file.expected != *digest) {
        fail(file, fmt::format(" is not the one that its manifest names: its SHA-256 is {}, expected {}", digest->hex(), file.expected->hex()));
    }
    return *digest;
}

}  // namespace satdl
