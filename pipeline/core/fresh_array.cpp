#include "pipeline/core/fresh_array.h"

#include <sys/mman.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace satdl {
namespace {

std::atomic<ArrayMemory*> memory_in_use{nullptr};

}  // namespace

void use_array_memory(ArrayMemory* memory) { memory_in_use = memory; }

ArrayMemory* array_memory() { return memory_in_use; }

// The first touch of each page costs as much as writing it twice; huge pages are 512 times as few. Where the system has none to give,
// nothing changes: so the answer to the request is of no interest.
std::shared_ptr<std::byte[]> uninitialised_bytes(std::size_t size) {
    constexpr std::size_t kHugePage = 2 << 20;
    if (size < 2 * kHugePage) return std::make_shared_for_overwrite<std::byte[]>(size);
    if (ArrayMemory* const memory = array_memory()) {
        if (auto bytes = memory->allocate(size)) return bytes;
    }
    const std::size_t whole_pages = (size + kHugePage - 1) / kHugePage * kHugePage;
    if (whole_pages < size) throw std::bad_alloc();
    auto* bytes = static_cast<std::byte*>(std::aligned_alloc(kHugePage, whole_pages));
    if (bytes == nullptr) throw std::bad_alloc();
    (void)::madvise(bytes, whole_pages, MADV_HUGEPAGE);
    return {bytes, [](std::byte* owned) { std::free(owned); }};
}

}  // namespace satdl
