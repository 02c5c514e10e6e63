#include "pipeline/core/error.h"

#include <catch2/catch.hpp>
#include <new>
#include <stdexcept>

using namespace satdl;

TEST_CASE("An exception of a library keeps its own message without LibTorch's stack, and out of memory has the message of satdl") {
    CHECK(describe(std::bad_alloc()) == kNoMemory);
    CHECK(describe(std::bad_array_new_length()) == kNoMemory);
    CHECK(describe(std::runtime_error("index 7")) == "index 7");
    CHECK(describe(std::runtime_error("sizes differ\nException raised from mm at /x.cpp:7\nframe #0")) == "sizes differ");
    CHECK(describe(std::runtime_error("[enforce fail at x.cpp:7] n > 0. no samples\nframe #0: f() + 0x6a\nframe #1: g()")) ==
          "[enforce fail at x.cpp:7] n > 0. no samples");
    CHECK(describe(std::runtime_error("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried "
                                      "to allocate 49152000000 bytes. Error code 12 (Cannot allocate memory)\nframe #0: f() + 0x6a")) ==
          "out of memory: it asked for 49152000000 bytes at once");
    constexpr const char* kOnGpu = "the GPU's memory is full: it asked for 2.50 GiB at once; a smaller batch_size needs less, and nvidia-smi lists who uses it";
    CHECK(describe(std::runtime_error("CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 139.81 GiB of which")) == kOnGpu);
    CHECK(describe(std::runtime_error("CUDA out of memory. Tried to allocate 2.50 GiB (GPU 0; 7.93 GiB total capacity; 7.18 GiB")) == kOnGpu);
    CHECK(describe(std::runtime_error("")).empty());
}
