#include <algorithm>
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <set>

#include "stages/random.h"

using namespace satdl::stages;

TEST_CASE("Philox gives the words that its authors published") {
    // Random123, kat_vectors: philox4x32 10
    CHECK(philox({0, 0, 0, 0}, {0, 0}) == PhiloxBlock{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
    CHECK(philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}) ==
          PhiloxBlock{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
    CHECK(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
          PhiloxBlock{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("streams that differ in any part give other numbers") {
    const std::set<std::uint64_t> firsts{
        Stream(1, Purpose::Noise).bits(0),         Stream(2, Purpose::Noise).bits(0),
        Stream(1, Purpose::Augmentation).bits(0),  Stream(1, Purpose::Dropout).bits(0),       Stream(1, Purpose::Noise, 1).bits(0),
        Stream(1, Purpose::Noise, 0, 1).bits(0),   Stream(1, Purpose::Noise).bits(1),
        Stream(1, Purpose::Noise).bits(2),         Stream(-1, Purpose::Noise).bits(0),
        Stream(1, Purpose::Noise).bits(1ull << 40), Stream((std::int64_t{1} << 32) + 1, Purpose::Noise).bits(0)};
    CHECK(firsts.size() == 11);
}

TEST_CASE("uniform numbers fill the interval from 0 to 1 evenly") {
    const Stream stream(7, Purpose::Weights);
    std::vector<int> bins(10);
    for (std::uint64_t i = 0; i < 100'000; ++i) {
        const double u = stream.uniform(i);
        REQUIRE(u >= 0);
        REQUIRE(u < 1);
        ++bins[static_cast<std::size_t>(u * 10)];
    }
    for (const int bin : bins) CHECK(std::abs(bin - 10'000) < 400);  // 4 standard deviations
}

TEST_CASE("normal numbers have the moments of the normal distribution") {
    const Stream stream(7, Purpose::Noise);
    double sum = 0, squares = 0, cubes = 0, fourths = 0, beyond_two = 0;
    const int pairs = 200'000;
    for (int i = 0; i < pairs; ++i) {
        for (const double z : stream.normal_pair(static_cast<std::uint64_t>(i))) {
            sum += z, squares += z * z, cubes += z * z * z, fourths += z * z * z * z;
            beyond_two += std::abs(z) > 2;
        }
    }
    const double n = 2 * pairs;
    CHECK(sum / n == Approx(0).margin(0.008));
    CHECK(squares / n == Approx(1).margin(0.01));
    CHECK(cubes / n == Approx(0).margin(0.03));
    CHECK(fourths / n == Approx(3).margin(0.08));
    CHECK(beyond_two / n == Approx(0.0455).margin(0.0015));
}

TEST_CASE("normal numbers are Box and Muller's, to the last digits") {
    const Stream stream(3, Purpose::Noise);
    for (std::uint64_t pair = 0; pair < 10'000; ++pair) {
        // bits(2 * pair) and bits(2 * pair + 1) are the words from which the pair is made
        const double first = (static_cast<double>(stream.bits(2 * pair) >> 11) + 0.5) * 0x1p-53;
        const double radius = std::sqrt(-2 * std::log(first));
        const double angle = 2 * 3.14159265358979323846 * stream.uniform(2 * pair + 1);
        const auto [even, odd] = stream.normal_pair(pair);
        REQUIRE(even == Approx(radius * std::cos(angle)).margin(1e-14));
        REQUIRE(odd == Approx(radius * std::sin(angle)).margin(1e-14));
    }
}

TEST_CASE("many normal numbers at once are those one by one, to the bit, with every instruction set") {
    const auto code = GENERATE(VectorCode::Baseline, VectorCode::Avx2, VectorCode::Avx512);
    if (!runs_here(code)) return;
    const Stream stream(3, Purpose::Noise, 5, 7);
    // at the start, and where the number of a block needs more than 32 bits
    for (const std::uint64_t first : {std::uint64_t{0}, std::uint64_t{1} << 33, (std::uint64_t{1} << 33) - 100}) {
        for (const std::size_t count : {0, 1, 2, 127, 128, 129, 100'001}) {
            std::vector<double> numbers(count);
            stream.fill_normal(first, numbers, code);
            std::size_t others = 0;
            for (std::size_t i = 0; i < count; ++i) {
                const double one = stream.normal_pair((first + i) / 2)[(first + i) % 2];
                others += std::bit_cast<std::uint64_t>(numbers[i]) != std::bit_cast<std::uint64_t>(one);
            }
            CHECK(others == 0);
        }
    }
}

TEST_CASE("many words at once are those of Philox' blocks, with every instruction set") {
    const auto code = GENERATE(VectorCode::Baseline, VectorCode::Avx2, VectorCode::Avx512);
    if (!runs_here(code)) return;
    const std::int64_t seed = (std::int64_t{9} << 32) + 4;
    const Stream stream(seed, Purpose::Dropout, 5, 7);
    const std::uint64_t first = (std::uint64_t{1} << 34) - 512;  // block 2^32 - 128: its number grows beyond 32 bits
    for (const std::size_t count : {0, 3, 4, 255, 256, 257, 1000}) {
        std::vector<std::uint32_t> words(count);
        stream.fill_words(first, words, code);
        for (std::size_t i = 0; i < count; ++i) {
            const std::uint64_t block = (first + i) / 4;
            const PhiloxBlock counter{static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32), 7, 3u << 24 | 5};
            REQUIRE(words[i] == philox(counter, {4, 9})[i % 4]);
        }
    }
}

TEST_CASE("a shuffled order holds every number once, and depends on the stream alone") {
    const auto order = shuffled(1000, Stream(7, Purpose::Shuffle, 0, 3));
    CHECK(order == shuffled(1000, Stream(7, Purpose::Shuffle, 0, 3)));
    CHECK(order != shuffled(1000, Stream(7, Purpose::Shuffle, 0, 4)));
    auto sorted = order;
    std::ranges::sort(sorted);
    for (std::int64_t i = 0; i < 1000; ++i) REQUIRE(sorted[static_cast<std::size_t>(i)] == i);
    CHECK(shuffled(0, Stream(7, Purpose::Shuffle)).empty());
}

TEST_CASE("all orders of three are as frequent") {
    std::map<std::vector<std::int64_t>, int> seen;
    for (std::uint32_t time = 0; time < 6000; ++time) ++seen[shuffled(3, Stream(7, Purpose::Shuffle, 0, time))];
    REQUIRE(seen.size() == 6);
    for (const auto& [order, count] : seen) CHECK(std::abs(count - 1000) < 120);
}
