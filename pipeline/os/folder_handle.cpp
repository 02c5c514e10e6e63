#include "pipeline/os/folder_handle.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "pipeline/os/file_error.h"

namespace satdl {
namespace {

namespace fs = std::filesystem;

double seconds_of(const timespec& time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9; }

// Of a name that is absent, a link, or not of the kind that was asked for.
bool is_not_such(int number) { return number == ENOENT || number == ELOOP || number == ENOTDIR || number == ENXIO; }

}  // namespace

FolderHandle FolderHandle::open(const fs::path& path) {
    UniqueFd descriptor(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!descriptor) throw FileError(errno, "open the folder", path);
    return {path, std::move(descriptor)};
}

std::optional<FolderHandle> FolderHandle::folder(const std::string& name) const {
    UniqueFd descriptor(::openat(descriptor_.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (descriptor) return FolderHandle(path_ / name, std::move(descriptor));
    if (is_not_such(errno)) return std::nullopt;
    throw FileError(errno, "open the folder", path_ / name);
}

std::vector<FolderFile> FolderHandle::files() const {
    UniqueFd own(::openat(descriptor_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!own) throw FileError(errno, "list", path_);
    const std::unique_ptr<DIR, int (*)(DIR*)> entries(::fdopendir(own.get()), ::closedir);
    if (!entries) throw FileError(errno, "list", path_);
    [[maybe_unused]] const int owned_by_entries = own.release();
    std::vector<FolderFile> found;
    while (true) {
        errno = 0;
        const dirent* const entry = ::readdir(entries.get());
        if (entry == nullptr && errno != 0) throw FileError(errno, "list", path_);
        if (entry == nullptr) return found;
        if (entry->d_type != DT_REG && entry->d_type != DT_UNKNOWN) continue;
        if (auto one = file(entry->d_name)) found.push_back(std::move(*one));
    }
}

std::optional<FolderFile> FolderHandle::file(const std::string& name) const {
    struct stat status {};
    if (::fstatat(descriptor_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
        if (is_not_such(errno)) return std::nullopt;
        throw FileError(errno, "stat", path_ / name);
    }
    if (!S_ISREG(status.st_mode)) return std::nullopt;
    return FolderFile{.name = name,
                      .bytes = static_cast<std::uint64_t>(status.st_size),
                      .written = seconds_of(status.st_mtim),
                      .read = seconds_of(status.st_atim)};
}

std::optional<std::string> FolderHandle::read(const std::string& name, std::size_t most_bytes) const {
    // O_NONBLOCK: a pipe of this name would wait for its writer.
    const UniqueFd descriptor(::openat(descriptor_.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NOATIME | O_NONBLOCK | O_CLOEXEC));
    if (!descriptor && is_not_such(errno)) return std::nullopt;
    if (!descriptor) throw FileError(errno, "open", path_ / name);
    struct stat status {};
    if (::fstat(descriptor.get(), &status) != 0) throw FileError(errno, "stat", path_ / name);
    if (!S_ISREG(status.st_mode)) return std::nullopt;
    std::string text(std::min(most_bytes, static_cast<std::size_t>(status.st_size)), '\0');
    std::size_t done = 0;
    while (done < text.size()) {
        const ssize_t got = ::read(descriptor.get(), text.data() + done, text.size() - done);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) throw FileError(errno, "read", path_ / name);
        if (got == 0) break;
        done += static_cast<std::size_t>(got);
    }
    text.resize(done);
    return text;
}

bool FolderHandle::remove(const std::string& name) const {
    if (::unlinkat(descriptor_.get(), name.c_str(), 0) == 0) return true;
    if (errno == ENOENT) return false;
    throw FileError(errno, "remove", path_ / name);
}

AccessTimes FolderHandle::access_times() const {
    struct statvfs status {};
    if (::fstatvfs(descriptor_.get(), &status) != 0) throw FileError(errno, "stat the file system of", path_);
    if ((status.f_flag & (ST_NOATIME | ST_RDONLY)) != 0) return AccessTimes::Never;
    return (status.f_flag & ST_RELATIME) != 0 ? AccessTimes::Daily : AccessTimes::Exact;
}

}  // namespace satdl
