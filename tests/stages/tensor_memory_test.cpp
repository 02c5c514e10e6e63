#include "stages/tensor_memory.h"

#include <cstdint>
#include <vector>

#include "torch_test.h"

using namespace satdl::stages;

namespace {

constexpr std::size_t kMegabyte = 1 << 20;

bool aligned(const void* data) { return reinterpret_cast<std::uintptr_t>(data) % 64 == 0; }

}  // namespace

TEST_CASE("a block that was given back serves the next request that it fits, but none that would waste more than three quarters") {
    BlockCache cache;
    cache.begin();
    void* const large = cache.take(4 * kMegabyte);
    void* const other = cache.take(4 * kMegabyte);
    cache.give_back(large);
    CHECK(cache.bytes_kept() == 4 * kMegabyte);
    void* const small = cache.take(kMegabyte / 2);
    CHECK(small != large);
    CHECK(cache.bytes_kept() == 4 * kMegabyte);
    void* const again = cache.take(3 * kMegabyte);
    CHECK(again == large);
    CHECK(cache.bytes_kept() == 0);
    for (void* const block : {other, small, again}) cache.give_back(block);
    cache.end();
}

TEST_CASE("memory is kept as long as a stage runs, and freed when the last one ends") {
    BlockCache cache;
    cache.begin();
    cache.begin();
    void* const block = cache.take(kMegabyte);
    void* const outlives = cache.take(kMegabyte);
    cache.give_back(block);
    cache.end();
    CHECK(cache.bytes_kept() == kMegabyte);
    cache.end();
    CHECK(cache.bytes_kept() == 0);
    CHECK(cache.bytes_in_use() == kMegabyte);
    cache.give_back(outlives);
    CHECK(cache.bytes_kept() == 0);
    CHECK(cache.bytes_in_use() == 0);
}

TEST_CASE("what is kept and in use is at most an eighth more than what was ever in use") {
    BlockCache cache;
    cache.begin();
    std::vector<void*> blocks;
    for (std::size_t size = 1; size <= 6; ++size) {  // each too large for the blocks before it
        for (int i = 0; i < 4; ++i) blocks.push_back(cache.take(size * kMegabyte));
        CHECK(cache.bytes_in_use() == 4 * size * kMegabyte);
        CHECK(cache.bytes_kept() <= 4 * size * kMegabyte / 8);
        for (void* const block : blocks) cache.give_back(block);
        blocks.clear();
    }
    cache.end();
}

TEST_CASE("blocks of every size are aligned, and small ones are not kept") {
    BlockCache cache;
    cache.begin();
    for (const std::size_t bytes : {5'000'001UL, 100'000UL, 16'384UL, 4'097UL, 63UL, 1UL}) {
        void* const block = cache.take(bytes);
        CHECK(aligned(block));
        cache.give_back(block);
    }
    CHECK(cache.bytes_kept() == 16'384 + 106'496 + 5'242'880);  // rounded up to eighths of powers of two
    cache.end();
}

TEST_CASE("LibTorch's tensors take their memory from the cache while a stage runs") {
    at::Tensor outlives;
    {
        const TensorMemory memory;
        at::Tensor first = at::empty({1000, 100});
        const void* const data = first.data_ptr();
        CHECK(aligned(data));
        first.reset();
        outlives = at::empty({100, 1000});
        CHECK(outlives.data_ptr() == data);
        CHECK(at::empty({0}).numel() == 0);
    }
    CHECK(outlives.fill_(2).sum().item<float>() == 200'000);
}
