// POSIX, with every return value checked. After a failed fsync the kernel marks the pages clean, and a second fsync
// "succeeds": so it is never retried, the file is dropped and its writer starts again (fsync(2); Rebello et al., ATC
// 2020).
#include "pipeline/os/file_system.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <functional>
#include <limits>
#include <thread>
#include <utility>

#include "pipeline/os/large_arrays.h"
#include "pipeline/os/sigbus_guard.h"
#include "pipeline/os/special_file.h"
#include "pipeline/os/write_all.h"

namespace satdl {
namespace {

namespace fs = std::filesystem;

// Of one write. The disk starts on each while the next is copied, which halves the time until fsync returns.
constexpr std::size_t kWriteBytes = std::size_t{8} << 20;
constexpr int kMaxLinkTries = 20;
constexpr std::size_t kWaitingThreads = 16;

template <typename Call>
auto retry_interrupted(Call call) {
    auto result = call();
    while (result < 0 && errno == EINTR) result = call();
    return result;
}

// One after the other.
Failures for_each(std::size_t count, const std::function<void(std::size_t)>& work) {
    Failures failures(count);
    for (std::size_t i = 0; i < count; ++i) {
        try {
            work(i);
        } catch (...) {
            failures[i] = std::current_exception();
        }
    }
    return failures;
}

// Side by side, since what waits for a disk needs no core, and a disk makes many changes durable in the time that one takes. Rejected:
// syncfs(2), which also waits for what every other program has written there, and which FUSE does not pass on.
Failures for_each_at_once(std::size_t count, const std::function<void(std::size_t)>& work) {
    Failures failures(count);
    std::atomic<std::size_t> next{0};
    const auto take = [&]() noexcept {
        for (std::size_t i = next++; i < count; i = next++) {
            try {
                work(i);
            } catch (...) {
                failures[i] = std::current_exception();
            }
        }
    };
    std::vector<std::jthread> threads;
    try {
        while (threads.size() + 1 < std::min(count, kWaitingThreads)) threads.emplace_back(take);
    } catch (const std::exception&) {  // there are no more threads: those that there are do it all
    }
    take();
    threads.clear();
    return failures;
}

class OpenFile {
public:
    // Of an open file without a name, which gets `path`.
    OpenFile(const fs::path& path, UniqueFd unnamed) : path_(path), descriptor_(unnamed.release()) {
        const std::string itself = fmt::format("/proc/self/fd/{}", descriptor_);
        if (::linkat(AT_FDCWD, itself.c_str(), AT_FDCWD, path_.c_str(), AT_SYMLINK_FOLLOW) == 0) return;
        const int number = errno;
        ::close(descriptor_);
        throw FileError(number, "create", path_);
    }
    OpenFile(const fs::path& path, int flags, const char* what, mode_t mode = 0)
        : path_(path), descriptor_(retry_interrupted([&] { return ::open(path.c_str(), flags | O_CLOEXEC, mode); })) {
        if (descriptor_ < 0) throw FileError(errno, what, path_);
    }
    ~OpenFile() {
        if (descriptor_ >= 0) ::close(descriptor_);
    }
    OpenFile(OpenFile&& other) noexcept : path_(other.path_), descriptor_(std::exchange(other.descriptor_, -1)) {}
    OpenFile(const OpenFile&) = delete;
    OpenFile& operator=(const OpenFile&) = delete;

    [[nodiscard]] int get() const { return descriptor_; }
    [[nodiscard]] struct stat status() const {
        struct stat status {};
        if (::fstat(descriptor_, &status) != 0) throw FileError(errno, "stat", path_);
        return status;
    }
    void sync() const {
        if (::fsync(descriptor_) != 0) throw FileError(errno, "sync", path_);
    }
    // After EINTR the descriptor is gone all the same (close(2), Linux).
    void close() {
        if (::close(std::exchange(descriptor_, -1)) != 0 && errno != EINTR) throw FileError(errno, "close", path_);
    }

private:
    const fs::path path_;
    int descriptor_;
};

fs::path parent_of(const fs::path& path) {
    const fs::path parent = path.parent_path();
    return parent.empty() ? fs::path(".") : parent;
}

std::string free_bytes_text(const fs::path& path) {
    struct statvfs status {};
    if (::statvfs(parent_of(path).c_str(), &status) != 0) return {};
    return fmt::format(" ({} bytes are free)", std::uint64_t{status.f_bavail} * status.f_frsize);
}

// So that a full disk is detected before the first byte is written. If the file system cannot reserve, only the length is
// set.
void reserve(const OpenFile& file, const fs::path& path, std::uint64_t size) {
    if (size == 0) return;
    if (size > static_cast<std::uint64_t>(std::numeric_limits<off_t>::max())) throw FileError(EFBIG, "reserve", path);
    const auto length = static_cast<off_t>(size);
    if (retry_interrupted([&] { return ::fallocate(file.get(), 0, 0, length); }) == 0) return;
    if (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL) {
        throw FileError(errno, fmt::format("reserve {} bytes{} for", size, free_bytes_text(path)), path);
    }
    if (retry_interrupted([&] { return ::ftruncate(file.get(), length); }) != 0) {
        throw FileError(errno, fmt::format("set the length of {} bytes of", size), path);
    }
}

void write_at(const OpenFile& file, const fs::path& path, Extent extent) {
    while (!extent.bytes.empty()) {
        const auto piece = extent.bytes.first(std::min(extent.bytes.size(), kWriteBytes));
        const std::size_t written = write_all_at(file.get(), piece, extent.offset);
        if (written < piece.size()) throw FileError(errno, fmt::format("write {} more bytes to", extent.bytes.size() - written), path);
        if (written == kWriteBytes) {  // a hint: fsync reports what goes wrong
            ::sync_file_range(file.get(), static_cast<off_t>(extent.offset), static_cast<off_t>(written), SYNC_FILE_RANGE_WRITE);
        }
        extent.bytes = extent.bytes.subspan(written);
        extent.offset += written;
    }
}

bool same_file(const fs::path& one, const fs::path& other) {
    struct stat first {};
    struct stat second {};
    return ::stat(one.c_str(), &first) == 0 && ::stat(other.c_str(), &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

bool is_folder(const fs::path& path) {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

std::int64_t nanoseconds(const timespec& time) {
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

FileStamp stamp_of(const struct stat& status) {
    return {status.st_dev, status.st_ino, static_cast<std::uint64_t>(status.st_size), nanoseconds(status.st_mtim), nanoseconds(status.st_ctim)};
}

// An array among the extents whose own file can become the file, since it lies where it has to be.
const Extent* adoptable(std::span<const Extent> extents, std::optional<UniqueFd>& file) {
    for (const Extent& extent : extents) {
        if (extent.bytes.size() < kLargeArrayBytes) continue;
        file = take_file_of(extent.bytes, extent.offset);
        if (file) return &extent;
    }
    return nullptr;
}

OpenFile new_file(const fs::path& path) { return {path, O_WRONLY | O_CREAT | O_EXCL, "create", 0600}; }

OpenFile named(std::optional<UniqueFd>& unnamed, const Extent*& adopted, const fs::path& path) {
    if (adopted == nullptr) return new_file(path);
    try {
        return {path, *std::move(unnamed)};
    } catch (const FileError& error) {
        if (error.number() == EEXIST) throw;
        adopted = nullptr;  // it cannot have a name here: then it is copied
        return new_file(path);
    }
}

struct CloseFolder {
    void operator()(DIR* folder) const { ::closedir(folder); }
};

class RealFile final : public File {
public:
    explicit RealFile(const fs::path& path) : File(path), file_(path, O_RDONLY, "open") {}

    FileStamp stamp() override { return stamp_of(file_.status()); }

    std::string read(std::uint64_t offset, std::size_t bytes) override {
        const std::uint64_t length = stamp().bytes;
        std::string text(static_cast<std::size_t>(std::min<std::uint64_t>(bytes, length - std::min(length, offset))), '\0');
        std::size_t have = 0;
        while (have < text.size()) {
            const ssize_t got = retry_interrupted([&] {
                return ::pread(file_.get(), text.data() + have, text.size() - have, static_cast<off_t>(offset + have));
            });
            if (got < 0) throw FileError(errno, "read", path());
            if (got == 0) break;
            have += static_cast<std::size_t>(got);
        }
        text.resize(have);
        return text;
    }

    MappedFile map() override {
        const struct stat status = file_.status();
        const auto length = static_cast<std::size_t>(status.st_size);
        if (length == 0) return {{}, nullptr, stamp_of(status)};
        void* const address = ::mmap(nullptr, length, PROT_READ, MAP_PRIVATE, file_.get(), 0);
        if (address == MAP_FAILED) throw FileError(errno, "map", path());
        const auto unmap = [length](void* mapped) {
            unregister_mapping(mapped);
            ::munmap(mapped, length);
        };
        const std::shared_ptr<void> owner(address, unmap);
        register_mapping(address, length, path(), status);
        return {{static_cast<const std::byte*>(address), length}, owner, stamp_of(status)};
    }

private:
    const OpenFile file_;
};

class RealFileSystem final : public FileSystem {
public:
    std::optional<FileStamp> stamp(const fs::path& path) override {
        struct stat status {};
        if (::stat(path.c_str(), &status) != 0) {
            if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
            throw FileError(errno, "stat", path);
        }
        return stamp_of(status);
    }

    std::unique_ptr<File> open(const fs::path& path) override {
        check_is_regular(path);
        return std::make_unique<RealFile>(path);
    }

    std::vector<std::string> list(const fs::path& folder) override {
        const std::unique_ptr<DIR, CloseFolder> open(::opendir(folder.c_str()));
        if (open == nullptr) {
            if (errno == ENOENT) return {};
            throw FileError(errno, "list", folder);
        }
        std::vector<std::string> names;
        errno = 0;
        while (const dirent* const entry = ::readdir(open.get())) {
            const std::string_view name = entry->d_name;
            if (name != "." && name != "..") names.emplace_back(name);
            errno = 0;
        }
        if (errno != 0) throw FileError(errno, "list", folder);
        std::ranges::sort(names);
        return names;
    }

    void write_new(const fs::path& path, std::uint64_t size, std::span<const Extent> extents) override {
        std::optional<UniqueFd> unnamed;
        const Extent* adopted = adoptable(extents, unnamed);
        OpenFile file = named(unnamed, adopted, path);
        bool syncing = false;
        MappingWatch source;  // a stage may return its inputs
        try {
            for (const Extent& extent : extents) source.add(extent.bytes, nullptr);
            reserve(file, path, size);
            for (const Extent& extent : extents) {
                const bool is_inside = extent.offset <= size && extent.bytes.size() <= size - extent.offset;
                SATDL_CHECK(is_inside, "an extent beyond the file's end");
                if (&extent == adopted) continue;
                check_file_of(extent.bytes);
                write_at(file, path, extent);
            }
            if (::fchmod(file.get(), 0444) != 0) throw FileError(errno, "set the mode of", path);
            syncing = true;
            file.sync();
            syncing = false;
            if (adopted != nullptr) file_is_durable(adopted->bytes);
            file.close();
            source.throw_if_changed();
        } catch (...) {
            if (adopted != nullptr && syncing) file_is_lost(adopted->bytes);
            ::unlink(path.c_str());
            source.throw_if_changed();
            throw;
        }
    }

    Failures write_all_new(std::span<const NewFile> files) override {
        return for_each_at_once(files.size(), [&](std::size_t i) { write_new(files[i].path, files[i].bytes, files[i].extents); });
    }

    Failures sync_folders(std::span<const fs::path> folders) override {
        return for_each_at_once(folders.size(), [&](std::size_t i) { sync_folder(folders[i]); });
    }

    LinkResult link_new(const fs::path& from, const fs::path& to) override {
        if (::link(from.c_str(), to.c_str()) == 0) return LinkResult::Linked;
        int number = errno;
        if (number == EPERM || number == EOPNOTSUPP || number == ENOSYS) {  // no hard links there
            if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return LinkResult::Linked;
            number = errno;
        }
        // Over a network an error does not mean that it was not done (rename(2)): the file itself decides.
        if (same_file(from, to)) return LinkResult::Linked;
        if (number == EEXIST) return LinkResult::AlreadyThere;
        throw FileError(number, fmt::format("link '{}' to", printable(from.string())), to);
    }

    void rename(const fs::path& from, const fs::path& to) override {
        if (::rename(from.c_str(), to.c_str()) != 0) {
            throw FileError(errno, fmt::format("rename '{}' to", printable(from.string())), to);
        }
    }

    void remove(const fs::path& path) override {
        if (::unlink(path.c_str()) != 0 && errno != ENOENT) throw FileError(errno, "remove", path);
    }

    void sync_folder(const fs::path& folder) override {
        const OpenFile open(folder, O_RDONLY | O_DIRECTORY, "open");
        // EINVAL: this file system has no such thing; its names are as durable as they get.
        if (::fsync(open.get()) != 0 && errno != EINVAL) throw FileError(errno, "sync", folder);
    }

    void make_folders(const fs::path& folder) override {
        if (is_folder(folder)) return;
        const fs::path parent = parent_of(folder);
        if (parent != folder) make_folders(parent);
        make_folder(folder);
        sync_folder(parent);
    }

    void make_folder(const fs::path& folder) override {
        if (::mkdir(folder.c_str(), 0777) != 0 && errno != EEXIST) throw FileError(errno, "create the folder", folder);
        if (!is_folder(folder)) throw FileError(ENOTDIR, "create the folder", folder);
    }

    void append(const fs::path& path, std::string_view text, bool sync) override {
        OpenFile file(path, O_WRONLY | O_APPEND | O_CREAT, "open", 0666);
        const bool fresh = sync && file.status().st_size == 0;
        if (write_all(file.get(), std::as_bytes(std::span(text))) < text.size()) throw FileError(errno, "append to", path);
        if (sync) file.sync();
        file.close();
        if (fresh) sync_folder(parent_of(path));
    }

    void point_link(const fs::path& target, const fs::path& link) override {
        // One name for all processes: the next one removes what a killed one left behind. So two at once may remove each
        // other's; then they try again.
        const fs::path fresh = parent_of(link) / fmt::format(".{}.new", link.filename().string());
        for (int tries = 0;; ++tries) {
            std::error_code error;
            if (fs::read_symlink(link, error) == target) return;
            if (error == std::errc::invalid_argument) throw FileError(EEXIST, "create the link", link);  // it is no link
            if (fs::is_symlink(fs::symlink_status(fresh, error))) remove(fresh);
            const bool made = ::symlink(target.c_str(), fresh.c_str()) == 0;
            if (made && ::rename(fresh.c_str(), link.c_str()) == 0) return;
            const int number = errno;
            if (made) ::unlink(fresh.c_str());
            const bool met_another = number == (made ? ENOENT : EEXIST);
            if (!met_another || tries == kMaxLinkTries) throw FileError(number, "create the link", link);
        }
    }

    std::uint64_t free_bytes(const fs::path& folder) override {
        struct statvfs status {};
        for (fs::path there = fs::absolute(folder);; there = there.parent_path()) {
            const bool is_known = ::statvfs(there.c_str(), &status) == 0;
            if (is_known && status.f_blocks > 0) return std::uint64_t{status.f_bavail} * status.f_frsize;
            if (is_known || errno != ENOENT || there == there.parent_path()) return std::numeric_limits<std::uint64_t>::max();
        }
    }
};

}  // namespace

Failures FileSystem::write_all_new(std::span<const NewFile> files) {
    return for_each(files.size(), [&](std::size_t i) { write_new(files[i].path, files[i].bytes, files[i].extents); });
}

Failures FileSystem::sync_folders(std::span<const fs::path> folders) {
    return for_each(folders.size(), [&](std::size_t i) { sync_folder(folders[i]); });
}

std::unique_ptr<FileSystem> real_file_system() {
    return std::make_unique<RealFileSystem>();
}

}  // namespace satdl
