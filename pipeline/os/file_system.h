// The few calls that touch the disk, as an interface: the real one, and (in the tests) one that fails on command.
//
// Every call that can fail throws FileError with the path and errno; nothing is swallowed. Publishing is
// write_new -> link_new -> sync_folder, so that whatever dies in between leaves nothing that looks like a result.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/os/file_error.h"

namespace satdl {

// Tells one version of a file from another without reading it.
struct FileStamp {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t bytes = 0;
    std::int64_t modified_nanoseconds = 0;
    std::int64_t changed_nanoseconds = 0;

    bool operator==(const FileStamp&) const = default;
};

struct Extent {
    std::uint64_t offset = 0;
    std::span<const std::byte> bytes;
};

// A file mapped read-only; unmapped with the last owner of `bytes`. It may be truncated meanwhile: see sigbus_guard.h.
struct MappedFile {
    std::span<const std::byte> bytes;
    std::shared_ptr<const void> owner;
    FileStamp stamp{};  // of the file when it was mapped
};

// A file that is open for reading: each call is about this very file, even if its name now refers to another. Each throws FileError.
class File {
public:
    virtual ~File() = default;
    File(const File&) = delete;
    File& operator=(const File&) = delete;

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }  // under which it was opened
    [[nodiscard]] virtual FileStamp stamp() = 0;
    // `bytes` from `offset` on; fewer at the end of the file.
    [[nodiscard]] virtual std::string read(std::uint64_t offset, std::size_t bytes) = 0;
    [[nodiscard]] virtual MappedFile map() = 0;  // outlives the handle

protected:
    explicit File(std::filesystem::path path) : path_(std::move(path)) {}

private:
    const std::filesystem::path path_;
};

enum class LinkResult { Linked, AlreadyThere };

struct NewFile {
    std::filesystem::path path;
    std::uint64_t bytes = 0;
    std::span<const Extent> extents;
};

// What became of each of several, in their order: what it threw, or null.
using Failures = std::vector<std::exception_ptr>;

class FileSystem {
public:
    virtual ~FileSystem() = default;

    [[nodiscard]] virtual std::optional<FileStamp> stamp(const std::filesystem::path& path) = 0;  // follows links
    // Follows links. What is no regular file is an error: a pipe, say, for which it would wait.
    [[nodiscard]] virtual std::unique_ptr<File> open(const std::filesystem::path& path) = 0;
    // Opens the file for this one call. To use a file more than once, open it.
    [[nodiscard]] std::string read(const std::filesystem::path& path, std::uint64_t offset, std::size_t bytes) {
        return open(path)->read(offset, bytes);
    }
    [[nodiscard]] MappedFile map(const std::filesystem::path& path) { return open(path)->map(); }
    // Names, sorted; none if the folder is absent.
    [[nodiscard]] virtual std::vector<std::string> list(const std::filesystem::path& folder) = 0;
    // Creates `path` (which must not exist) with `size` bytes reserved, writes the extents (gaps are zero), mode 0444,
    // fsync. If any of it fails, the file is removed again.
    virtual void write_new(const std::filesystem::path& path, std::uint64_t size, std::span<const Extent> extents) = 0;
    // write_new() and sync_folder() for each of several. The real file system waits for the disk for all of them at once; none fails
    // because another one did.
    [[nodiscard]] virtual Failures write_all_new(std::span<const NewFile> files);
    [[nodiscard]] virtual Failures sync_folders(std::span<const std::filesystem::path> folders);
    // Gives the file a second name that must not exist yet (first writer wins).
    [[nodiscard]] virtual LinkResult link_new(const std::filesystem::path& from, const std::filesystem::path& to) = 0;
    virtual void rename(const std::filesystem::path& from, const std::filesystem::path& to) = 0;  // replaces
    virtual void remove(const std::filesystem::path& path) = 0;                                   // absent is fine
    virtual void sync_folder(const std::filesystem::path& folder) = 0;
    // Makes the folder and its parents; each new one is synced into its parent.
    virtual void make_folders(const std::filesystem::path& folder) = 0;
    // Makes one folder, whose name is durable once its parent is synced. That it is there already is fine.
    virtual void make_folder(const std::filesystem::path& folder) = 0;
    // Appends to `path` (made if absent) in one write; `sync` makes it durable, and its name if it was empty before.
    virtual void append(const std::filesystem::path& path, std::string_view text, bool sync) = 0;
    // Makes `link` a symbolic link to `target`, replacing an older link; does nothing if it already is one.
    virtual void point_link(const std::filesystem::path& target, const std::filesystem::path& link) = 0;
    // What this user may still write below `folder`, which need not exist yet; the maximum if that is unknown (quotas, FUSE).
    [[nodiscard]] virtual std::uint64_t free_bytes(const std::filesystem::path& folder) = 0;
};

[[nodiscard]] std::unique_ptr<FileSystem> real_file_system();

}  // namespace satdl
