#include "stages/tensor_memory.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>
#include <new>

namespace satdl::stages {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kSmallestKept = 16 << 10;  // the C library keeps smaller ones itself
constexpr std::size_t kMostTooLarge = 4;         // a block serves requests from a quarter of its capacity on
constexpr std::size_t kSlack = 8;                // kept blocks may add an eighth to the most that was ever in use

// In front of each block, and as long as the alignment.
struct alignas(kAlignment) Header {
    std::size_t capacity;
};
static_assert(sizeof(Header) == kAlignment);

// Eight sizes from one power of two to the next: at most an eighth is wasted, and batches of similar size share blocks.
std::size_t rounded(std::size_t bytes) {
    if (bytes < kSmallestKept) return bytes;
    const std::size_t step = std::bit_floor(bytes) / 8;
    return (bytes + step - 1) / step * step;
}

Header* header_of(void* data) { return static_cast<Header*>(data) - 1; }

void* fresh_block(std::size_t capacity) {
    auto* const header = new (c10::alloc_cpu(capacity + sizeof(Header))) Header{capacity};
    return header + 1;
}

void free_block(void* data) { c10::free_cpu(header_of(data)); }

// Never destroyed: a tensor may outlive whatever is static.
BlockCache& cache() {
    static auto* const one = new BlockCache;
    return *one;
}

void give_back_to_cache(void* data) {
    if (data != nullptr) cache().give_back(data);
}

// LibTorch 1.13 declares allocate() const, 2.x does not and has copy_data(): of each pair one overrides, the other is not called.
class Allocator final : public c10::Allocator {
public:
    at::DataPtr allocate(std::size_t bytes) const { return block(bytes); }  // NOLINT
    at::DataPtr allocate(std::size_t bytes) { return block(bytes); }        // NOLINT
    at::DeleterFnPtr raw_deleter() const override { return &give_back_to_cache; }
    void copy_data(void* to, const void* from, std::size_t bytes) const { std::memcpy(to, from, bytes); }  // NOLINT

private:
    static at::DataPtr block(std::size_t bytes) {
        void* const data = bytes == 0 ? nullptr : cache().take(bytes);
        return {data, data, &give_back_to_cache, at::Device(at::DeviceType::CPU)};
    }
};

}  // namespace

void* BlockCache::take(std::size_t bytes) {
    const std::size_t capacity = rounded(bytes);
    if (capacity < kSmallestKept) return fresh_block(capacity);
    if (void* const block = kept_block(capacity)) return block;
    try {
        return fresh_block(capacity);
    } catch (...) {
        const std::scoped_lock lock(mutex_);
        used_bytes_ -= capacity;
        throw;
    }
}

// None: a fresh block is needed, and counted. Then as many kept ones are freed as keeps the sum within its bound.
void* BlockCache::kept_block(std::size_t capacity) {
    const std::scoped_lock lock(mutex_);
    const auto found = kept_.lower_bound(capacity);
    if (found != kept_.end() && found->first / kMostTooLarge <= capacity) {
        const auto newest = std::prev(kept_.upper_bound(found->first));  // the likeliest to be in the processor's caches
        void* const block = newest->second;
        kept_bytes_ -= newest->first;
        used_bytes_ += newest->first;
        most_used_bytes_ = std::max(most_used_bytes_, used_bytes_);
        kept_.erase(newest);
        return block;
    }
    used_bytes_ += capacity;
    most_used_bytes_ = std::max(most_used_bytes_, used_bytes_);
    free_down_to(most_used_bytes_ + most_used_bytes_ / kSlack - used_bytes_);
    return nullptr;
}

void BlockCache::give_back(void* data) {
    const std::size_t capacity = header_of(data)->capacity;
    if (capacity < kSmallestKept) return free_block(data);
    const std::scoped_lock lock(mutex_);
    used_bytes_ -= capacity;
    if (users_ == 0) return free_block(data);
    kept_.emplace(capacity, data);
    kept_bytes_ += capacity;
}

// The largest first. Called with the lock.
void BlockCache::free_down_to(std::size_t kept) {
    while (kept_bytes_ > kept) {
        const auto largest = std::prev(kept_.end());
        kept_bytes_ -= largest->first;
        free_block(largest->second);
        kept_.erase(largest);
    }
}

void BlockCache::begin() {
    const std::scoped_lock lock(mutex_);
    if (users_++ == 0) most_used_bytes_ = used_bytes_;
}

void BlockCache::end() {
    const std::scoped_lock lock(mutex_);
    if (--users_ == 0) free_down_to(0);
}

std::size_t BlockCache::bytes_in_use() const {
    const std::scoped_lock lock(mutex_);
    return used_bytes_;
}

std::size_t BlockCache::bytes_kept() const {
    const std::scoped_lock lock(mutex_);
    return kept_bytes_;
}

TensorMemory::TensorMemory() {
    static Allocator* const allocator = [] {
        auto* const one = new Allocator;
        c10::SetCPUAllocator(one);
        return one;
    }();
    static_cast<void>(allocator);
    cache().begin();
}

TensorMemory::~TensorMemory() { cache().end(); }

}  // namespace satdl::stages
