// A flag shared by two processes: one raises it, the other polls it.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>

#include <atomic>
#include <cstdint>
#include <utility>

#include "pipeline/core/error.h"
#include "pipeline/core/unique_fd.h"

namespace satdl {

class StopFlag {
public:
    StopFlag() : StopFlag(made()) {}
    // The flag behind a descriptor that another process created and passed.
    explicit StopFlag(UniqueFd file) : file_(std::move(file)) {
        void* const page = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(), 0);
        if (page == MAP_FAILED) throw Error(ExitCode::Store, "cannot share memory with another process");
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
        UniqueFd file(::memfd_create("satdl", MFD_CLOEXEC | MFD_ALLOW_SEALING));
        if (!file || ::ftruncate(file.get(), kBytes) != 0 || ::fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0)
            throw Error(ExitCode::Store, "cannot share memory with another process");
        return file;
    }

    UniqueFd file_;
    Flag* flag_ = nullptr;
};

}  // namespace satdl
