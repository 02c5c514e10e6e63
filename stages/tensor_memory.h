// Memory for LibTorch's tensors on the CPU, kept from one step of a stage to the next.
//
// A training step asks for the same sizes as the step before it. The C library gives large blocks back to the system each time,
// so that every step pays for tens of thousands of page faults. Here a block that was freed waits for the next tensor that it
// fits, as long as a stage runs. Rejected: mallopt(M_MMAP_THRESHOLD): stages run on oneTBB's threads, whose heaps in the C
// library are small.
//
// No result depends on it: a tensor's memory was never cleared, and is aligned to 64 bytes as before.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>

namespace satdl::stages {

// Blocks by size. Safe to use from several threads at once.
class BlockCache {
public:
    // 64 bytes aligned, with what was in it before. Throws what LibTorch's own allocator throws where there is no memory.
    [[nodiscard]] void* take(std::size_t bytes);
    void give_back(void* data);

    // Blocks that are given back are kept between the first of several overlapping begin() and the last end(), which frees them.
    void begin();
    void end();

    [[nodiscard]] std::size_t bytes_in_use() const;
    [[nodiscard]] std::size_t bytes_kept() const;  // given back, and not yet taken again

private:
    [[nodiscard]] void* kept_block(std::size_t capacity);
    void free_down_to(std::size_t kept);

    mutable std::mutex mutex_;                // of all that follows
    std::multimap<std::size_t, void*> kept_;  // by capacity
    std::size_t kept_bytes_ = 0;
    std::size_t used_bytes_ = 0;
    std::size_t most_used_bytes_ = 0;  // since the first begin()
    int users_ = 0;
};

// While one lives, tensors' memory is kept. The first one replaces LibTorch's allocator by the cache, until the process ends.
class TensorMemory {
public:
    TensorMemory();
    ~TensorMemory();
    TensorMemory(const TensorMemory&) = delete;
    TensorMemory& operator=(const TensorMemory&) = delete;
};

}  // namespace satdl::stages
