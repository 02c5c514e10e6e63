#include "pipeline/catalog/elf.h"

#include <catch2/catch.hpp>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

using namespace satdl;

namespace {

std::vector<std::byte> library() {
    std::ifstream file(std::string(SATDL_BINARY_DIR) + "/libother_abi.so", std::ios::binary);
    const std::string text(std::istreambuf_iterator<char>(file), {});
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
}

std::optional<int> mark_in(std::span<const std::byte> file) {
    const auto found = exported_data(file, "satdl_stage_abi", sizeof(int));
    if (!found) return std::nullopt;
    int mark = 0;
    std::memcpy(&mark, found->data(), sizeof mark);
    return mark;
}

}  // namespace

TEST_CASE("An exported number is read from the file of a library") {
    const auto file = library();
    CHECK(mark_in(file) == -1);
    CHECK_FALSE(exported_data(file, "satdl_stage_ab", 4));
    CHECK_FALSE(exported_data(file, "satdl_stage_abi", 4096));
    CHECK_FALSE(exported_data(file, "satdl_stage_library", 1));  // code
}

TEST_CASE("Nothing that a file may hold leads out of it") {
    auto file = library();
    for (std::size_t size = 0; size < file.size(); size += 7) (void)mark_in(std::span(file).first(size));
    CHECK_FALSE(mark_in(std::span(file).first(100)));
    std::mt19937 dice(7);
    for (int i = 0; i < 20'000; ++i) {
        const std::size_t at = i % 2 == 0 ? dice() % 64 : dice() % file.size();  // the header, or anywhere
        const std::byte before = std::exchange(file[at], static_cast<std::byte>(dice()));
        (void)mark_in(file);
        file[at] = before;
    }
    CHECK(mark_in(file) == -1);
}
