#include "pipeline/display/sparkline.h"

#include <catch2/catch.hpp>
#include <limits>
#include <vector>

using namespace satdl;

namespace {

const double kNaN = std::numeric_limits<double>::quiet_NaN(), kInfinity = std::numeric_limits<double>::infinity();

std::string bars(const std::vector<double>& values, int width = 20) { return sparkline(values, width); }

}  // namespace

TEST_CASE("a sparkline goes from the least number to the greatest") {
    CHECK(bars({0, 1, 2, 3, 4, 5, 6, 7}) == "▁▂▃▄▅▆▇█");
    CHECK(bars({7, 6, 5, 4, 3, 2, 1, 0}) == "█▇▆▅▄▃▂▁");
    CHECK(bars({-3, -1, -2}) == "▁█▅");
    CHECK(bars({1e-9, 2e-9}) == "▁█");
    CHECK(bars({-1.7e308, 1.7e308}) == "▁█");
}

TEST_CASE("a sparkline of equal numbers, of one and of none") {
    CHECK(bars({3, 3, 3}) == "▄▄▄");
    CHECK(bars({0}) == "▄");
    CHECK(bars({}).empty());
}

TEST_CASE("a sparkline marks values that are not finite and scales to the others") {
    CHECK(bars({4, kNaN, 0}) == "█×▁");
    CHECK(bars({kInfinity, 1, -kInfinity, 2}) == "×▁×█");
    CHECK(bars({kNaN, kNaN}) == "××");
    CHECK(bars({kNaN, 5}) == "×▄");
}

TEST_CASE("more numbers than cells are averaged") {
    std::vector<double> falling;
    for (int i = 0; i < 1000; ++i) falling.push_back(999 - i);
    CHECK(bars(falling, 8) == "█▇▆▅▄▃▂▁");
    CHECK(bars({0, 10, 2, 8, 0, 0}, 3) == "██▁");
    CHECK(bars({kNaN, 4, 0, 0}, 2) == "█▁");
    CHECK(bars({kNaN, kNaN, 0, 0}, 2) == "×▄");
    CHECK(bars({1, 2, 3, 4, 5}, 2) == "▁█");
    CHECK(bars(falling, 1) == "▄");
}
