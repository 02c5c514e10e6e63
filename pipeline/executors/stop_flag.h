// A flag shared by two processes: one raises it, the other polls it.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>

#include <atomic>
#include <cstdint>
#include <utility>

#include "pipeline/executors/shared_memory.h"

namespace satdl {

class StopFlag {
public:
    StopFlag() : StopFlag(made()) {}
    // The flag behind a descriptor that another process created and passed.
    explicit StopFlag(UniqueFd file) : file_(std::move(file)) {
        void* const page = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(), 0);
        if (page == MAP_FAILED) throw no_shared_memory("map");
        flag_ = static_cast<Flag*>(page);
    }
    ~StopFlag() { ::munmap(flag_, kBytes); }
    StopFlag(const StopFlag&) = delete;
    StopFlag& operator=(const StopFlag&) = delete;

    [[nodiscard]] const UniqueFd& file() const { return file_; }
    void raise() { flag_->store(1, std::memory_order_relaxed); }
    [[nodiscard]] bool is_raised() const { return flag_->load(std::memory_order_relaxed) != 0; }

private:
    using Flag = std::atomic<std::uint32_t>;
    static_assert(Flag::is_always_lock_free);
    static constexpr std::size_t kBytes = 4096;

    // Zero, with its size sealed.
    static UniqueFd made() {
        UniqueFd file = new_shared_memory();
        if (::ftruncate(file.get(), kBytes) != 0) throw no_shared_memory("ftruncate");
        if (::fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0) throw no_shared_memory("seal");
        return file;
    }

    UniqueFd file_;
    Flag* flag_ = nullptr;
};

}  // namespace satdl
