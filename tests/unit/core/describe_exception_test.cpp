#include "pipeline/core/error.h"

#include <catch2/catch.hpp>
#include <new>
#include <stdexcept>

using namespace satdl;

TEST_CASE("A library's exception is told in its own words, a want of memory in ours, and without LibTorch's stack") {
    CHECK(describe(std::bad_alloc()) == kNoMemory);
    CHECK(describe(std::bad_array_new_length()) == kNoMemory);
    CHECK(describe(std::runtime_error("index 7")) == "index 7");
    CHECK(describe(std::runtime_error("sizes differ\nException raised from mm at /x.cpp:7\nframe #0")) == "sizes differ");
    CHECK(describe(std::runtime_error("")).empty());
}
