// A folder that is open: its files are listed, read and removed by their names in it, and no link is ever followed. So a program that runs
// with more rights than those who may write to the folder cannot be led elsewhere by a link that they put there, at whatever moment.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/core/unique_fd.h"

namespace satdl {

// Times in seconds since 1970.
struct FolderFile {
    std::string name;
    std::uint64_t bytes = 0;
    double written = 0;  // mtime
    double read = 0;     // atime: see AccessTimes
};

// How far the file system's atime can be relied on.
enum class AccessTimes {
    Exact,  // strictatime
    Daily,  // relatime, the default: updated only if it is older than a day, or than the last change of the file
    Never,  // noatime, read-only
};

class FolderHandle {
public:
    // Throws FileError; `path` itself may be or contain a link.
    [[nodiscard]] static FolderHandle open(const std::filesystem::path& path);

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    // The folder of this name in it; nullopt if it is absent, a link, or no folder. Throws FileError.
    [[nodiscard]] std::optional<FolderHandle> folder(const std::string& name) const;
    // Its regular files, unordered, and what became of one of them; nullopt: it is gone, or no regular file. Throws FileError.
    [[nodiscard]] std::vector<FolderFile> files() const;
    [[nodiscard]] std::optional<FolderFile> file(const std::string& name) const;
    // The first `most_bytes` of a regular file, without a change of its atime, for which it must be this user's (or the user root); nullopt
    // as above. Throws FileError.
    [[nodiscard]] std::optional<std::string> read(const std::string& name, std::size_t most_bytes) const;
    // Whether it was still there. Throws FileError.
    bool remove(const std::string& name) const;
    [[nodiscard]] AccessTimes access_times() const;  // throws FileError

private:
    FolderHandle(std::filesystem::path path, UniqueFd descriptor) : path_(std::move(path)), descriptor_(std::move(descriptor)) {}

    std::filesystem::path path_;
    UniqueFd descriptor_;
};

}  // namespace satdl
