#include "pipeline/store_use.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "pipeline/file_system.h"

namespace satdl {
namespace {

int opened(const std::filesystem::path& path) {
    return open(path.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0666);
}

// Interrupted by a signal, it is asked again: what the signal wants is seen to by its handler.
int lock(int descriptor, int operation) {
    int result = 0;
    do result = flock(descriptor, operation);
    while (result != 0 && errno == EINTR);
    return result;
}

}  // namespace

StoreUse StoreUse::shared(const std::filesystem::path& store_folder) {
    const int descriptor = opened(store_folder / "in-use");
    if (descriptor >= 0) lock(descriptor, LOCK_SH);
    return StoreUse(descriptor);
}

std::optional<StoreUse> StoreUse::alone(const std::filesystem::path& store_folder) {
    const auto path = store_folder / "in-use";
    StoreUse use(opened(path));
    if (use.descriptor_ < 0) throw FileError(errno, "open", path);
    if (lock(use.descriptor_, LOCK_EX | LOCK_NB) == 0) return use;
    if (errno == EWOULDBLOCK) return std::nullopt;
    throw FileError(errno, "lock", path);
}

StoreUse::StoreUse(StoreUse&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

StoreUse::~StoreUse() {
    if (descriptor_ >= 0) close(descriptor_);
}

}  // namespace satdl
