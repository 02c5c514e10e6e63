// The stat cache of source files. Content decides; stat only saves reading. Read in pieces, not mapped: a file that
// is truncated meanwhile must be reported, and not kill the program.
#include "pipeline/store/source_digest.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "pipeline/os/file_tree.h"

namespace satdl {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{4} << 20;
constexpr std::uint64_t kSlowBytes = 1 << 20;
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

SourceFile file_in(const SourceFile& folder, const std::string& name) {
    SourceFile file;
    file.role = folder.role;
    file.path = folder.path / name;
    file.place = folder.place;
    return file;
}

// A file's digest now, and the identity under which to remember it if that is new.
struct CurrentDigest {
    Digest digest;
    std::optional<FileStamp> remember;
};

CurrentDigest current_digest(const SourceFile& file, Index& index, FileSystem& files) {
    const FileStamp identity = identity_of(file, files);
    if (const auto known = index.file_digest(file.path, identity)) return {*known, std::nullopt};
    const bool remember = !is_recent(identity);
    // A commit syncs the disk: before each of a hundred thousand small files, it would take far longer than reading them.
    if (identity.bytes >= kSlowBytes) index.commit_so_far();
    const Digest digest = read_digest(file, identity, files);
    return {digest, remember ? std::optional(identity) : std::nullopt};
}

template <typename DigestOf>
Digest folder_digest(const SourceFile& folder, const DigestOf& digest_of) {
    Sha256 digest;
    for (const std::string& name : visible_files_below(folder.path)) {
        digest.update(fmt::format("{}:{}", name.size(), name));
        if (!name.ends_with('/')) digest.update(digest_of(file_in(folder, name)).hex());
    }
    return digest.finish();
}

// New digests are remembered in one transaction: each of its own would sync the disk.
Digest folder_digest(const SourceFile& folder, Index& index, FileSystem& files) {
    std::vector<std::pair<std::filesystem::path, CurrentDigest>> fresh;
    const Digest digest = folder_digest(folder, [&](const SourceFile& one) {
        CurrentDigest current = current_digest(one, index, files);
        if (current.remember) fresh.emplace_back(one.path, current);
        return current.digest;
    });
    const Index::Batch one_transaction(index);
    for (const auto& [path, current] : fresh) index.put_file_digest(path, *current.remember, current.digest);
    return digest;
}

}  // namespace

Digest source_digest(const SourceFile& file, Index& index, FileSystem& files) {
    if (file.is_folder) return folder_digest(file, index, files);
    const CurrentDigest current = current_digest(file, index, files);
    if (current.remember) index.put_file_digest(file.path, *current.remember, current.digest);
    return check_expected(file, current.digest);
}

Digest source_digest(const SourceFile& file, FileSystem& files) {
    if (file.is_folder) return folder_digest(file, [&](const SourceFile& one) { return source_digest(one, files); });
    return check_expected(file, read_digest(file, identity_of(file, files), files));
}

std::optional<FileStamp> source_stamp(const SourceFile& file, FileSystem& files) {
    std::optional<FileStamp> all = files.stamp(file.path);
    if (!file.is_folder || !all) return all;
    for (const std::string& name : visible_files_below(file.path)) {
        const auto one = files.stamp(file.path / name);
        if (!one) return std::nullopt;
        all->bytes += one->bytes;
        all->modified_nanoseconds = std::max(all->modified_nanoseconds, one->modified_nanoseconds);
        all->changed_nanoseconds = std::max(all->changed_nanoseconds, one->changed_nanoseconds);
    }
    return all;
}

}  // namespace satdl
