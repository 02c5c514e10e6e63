// Who uses a store at the moment: runs share it, garbage collection wants it alone.
//
// A flock on the file in-use of its folder, which the kernel lets go of when its process ends, however that ends: nobody ever waits for a
// dead one, and there is nothing to unlock by hand. Where flock lies (some network file systems), a run whose artifacts are
// taken away makes them again: slower, and not wrong.
#pragma once

#include <filesystem>
#include <optional>
#include <utility>

#include "pipeline/core/unique_fd.h"

namespace satdl {

class StoreLock {
public:
    // Waits while garbage is being collected. Where the file cannot be made (a read-only store), nothing is held.
    [[nodiscard]] static StoreLock shared(const std::filesystem::path& store_folder);
    // Nothing where somebody uses the store. Throws FileError where the file cannot be opened.
    [[nodiscard]] static std::optional<StoreLock> alone(const std::filesystem::path& store_folder);

    // Whether somebody does at the moment. Makes no file. Throws FileError where it cannot be told.
    [[nodiscard]] static bool is_used(const std::filesystem::path& store_folder);

    ~StoreLock();  // not inline: GCC 12 takes the descriptor of an empty optional for uninitialized
    StoreLock(StoreLock&&) noexcept;
    StoreLock& operator=(StoreLock&&) = delete;

private:
    explicit StoreLock(UniqueFd file) : file_(std::move(file)) {}
    UniqueFd file_;
};

}  // namespace satdl
