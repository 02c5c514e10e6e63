#include "pipeline/store/store_lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <utility>

#include "pipeline/os/file_system.h"
#include "pipeline/store/layout.h"

namespace satdl {
namespace {

std::filesystem::path lock_file(const std::filesystem::path& store_folder) { return store_folder / store_layout::kLock; }

UniqueFd opened(const std::filesystem::path& path, int flags) {
    return UniqueFd(open(path.c_str(), O_RDONLY | O_CLOEXEC | flags, 0666));
}

// Retried after a signal: the signal's handler does what is needed.
int lock(const UniqueFd& file, int operation) {
    int result = 0;
    do result = flock(file.get(), operation);
    while (result != 0 && errno == EINTR);
    return result;
}

// False: another process holds it.
bool lock_alone(const UniqueFd& file, const std::filesystem::path& path) {
    if (!file) throw FileError(errno, "open", path);
    if (lock(file, LOCK_EX | LOCK_NB) == 0) return true;
    if (errno == EWOULDBLOCK) return false;
    throw FileError(errno, "lock", path);
}

}  // namespace

StoreLock StoreLock::shared(const std::filesystem::path& store_folder) {
    UniqueFd file = opened(lock_file(store_folder), O_CREAT);
    if (file) lock(file, LOCK_SH);
    return StoreLock(std::move(file));
}

std::optional<StoreLock> StoreLock::alone(const std::filesystem::path& store_folder) {
    const auto path = lock_file(store_folder);
    UniqueFd file = opened(path, O_CREAT);
    if (!lock_alone(file, path)) return std::nullopt;
    return StoreLock(std::move(file));
}

bool StoreLock::is_used(const std::filesystem::path& store_folder) {
    const auto path = lock_file(store_folder);
    const UniqueFd file = opened(path, 0);
    if (!file && errno == ENOENT) return false;
    return !lock_alone(file, path);
}

StoreLock::~StoreLock() = default;
StoreLock::StoreLock(StoreLock&&) noexcept = default;

}  // namespace satdl
