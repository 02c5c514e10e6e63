// The lock of a store: runs share it, garbage collection needs it exclusively.
//
// A flock on the file in-use of its folder, which the kernel releases when its process ends, however that ends: no process ever waits for a
// dead one, and there is nothing to unlock by hand. If flock does not work (some network file systems), a run whose artifacts are
// removed rebuilds them: slower, but not wrong.
#pragma once

#include <filesystem>
#include <optional>
#include <utility>

#include "pipeline/core/unique_fd.h"

namespace satdl {

class StoreLock {
public:
    // Waits while garbage is being collected. If the file cannot be created (a read-only store), nothing is locked.
    [[nodiscard]] static StoreLock shared(const std::filesystem::path& store_folder);
    // nullopt if the store is in use. Throws FileError if the file cannot be opened.
    [[nodiscard]] static std::optional<StoreLock> alone(const std::filesystem::path& store_folder);

    // Whether the store is in use. Creates no file. Throws FileError if that cannot be determined.
    [[nodiscard]] static bool is_used(const std::filesystem::path& store_folder);

    ~StoreLock();  // not inline: GCC 12 takes the descriptor of an empty optional for uninitialized
    StoreLock(StoreLock&&) noexcept;
    StoreLock& operator=(StoreLock&&) = delete;

private:
    explicit StoreLock(UniqueFd file) : file_(std::move(file)) {}
    UniqueFd file_;
};

}  // namespace satdl
