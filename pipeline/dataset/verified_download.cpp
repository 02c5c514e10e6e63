#include "pipeline/dataset/verified_download.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "pipeline/os/write_all.h"

namespace satdl {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPrefix = ".tmp-";

// The folder's descriptor with its lock, or -1 if another process holds it or the folder is gone.
int lock_folder(const fs::path& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (descriptor < 0) return -1;
    struct stat status {};
    const bool ours =
        ::flock(descriptor, LOCK_EX | LOCK_NB) == 0 && ::fstat(descriptor, &status) == 0 && status.st_nlink > 0;
    if (ours) return descriptor;
    ::close(descriptor);
    return -1;
}

void sweep(const fs::path& folder) {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(folder, ignored)) {
        if (!entry.path().filename().string().starts_with(kPrefix)) continue;
        const int lock = lock_folder(entry.path());
        if (lock < 0) continue;
        fs::remove_all(entry.path(), ignored);
        ::close(lock);
    }
}

}  // namespace

DownloadFolder::DownloadFolder(const fs::path& folder) {
    sweep(folder);
    // A sweep of another process may come between making the folder and locking it: then another one is made.
    for (int attempt = 0; attempt < 10 && lock_ < 0; ++attempt) {
        std::string name = (folder / kPrefix).string() + "XXXXXX";
        if (::mkdtemp(name.data()) == nullptr) throw FileError(errno, "create a folder in", folder);
        path_ = name;
        lock_ = lock_folder(path_);
    }
    if (lock_ < 0) throw FileError(EAGAIN, "lock a folder in", folder);
}

DownloadFolder::~DownloadFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
    ::close(lock_);
}

VerifiedDownload::VerifiedDownload(fs::path path, std::uint64_t max, DownloadProgress progress)
    : path_(std::move(path)),
      max_bytes_(max),
      progress_(std::move(progress)),
      descriptor_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) {
    if (descriptor_ < 0) throw FileError(errno, "create", path_);
}

VerifiedDownload::~VerifiedDownload() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

bool VerifiedDownload::append(std::span<const std::byte> bytes) {
    if (bytes.size() > max_bytes_ - bytes_) return false;
    hash_.update(bytes);
    if (write_all(descriptor_, bytes) < bytes.size()) throw FileError(errno, "write", path_);
    bytes_ += bytes.size();
    if (progress_) progress_(bytes_);
    return true;
}

void VerifiedDownload::publish(FileSystem& files, const fs::path& to) {
    if (::fsync(descriptor_) != 0) throw FileError(errno, "sync", path_);
    if (::close(std::exchange(descriptor_, -1)) != 0 && errno != EINTR) throw FileError(errno, "close", path_);
    files.rename(path_, to);
    files.sync_folder(to.parent_path());
}

}  // namespace satdl
