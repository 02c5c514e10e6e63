#include "commands/shared/element_difference.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <vector>

using namespace satdl;

namespace {

template <typename T>
ElementDifference between(const std::vector<T>& a, const std::vector<T>& b) {
    const auto count = static_cast<std::int64_t>(a.size());
    return elements_apart(Array::of<T>({count}, a), Array::of<T>({count}, b));
}

}  // namespace

TEST_CASE("distances are those of the elements, the cosine that of the whole") {
    const ElementDifference apart = between<double>({3, 0, -4}, {3, 1, -2});
    CHECK(apart.count == 3);
    CHECK(apart.differing == 2);
    CHECK(apart.max == 2);
    CHECK(apart.mean == 1);
    CHECK(apart.max_relative == 1);  // 0 and 1
    CHECK(apart.cosine == Approx(17 / (5 * std::sqrt(14.0))));
    CHECK(between<std::uint8_t>({200, 1}, {1, 1}).max == 199);
}

TEST_CASE("equal arrays are not apart, whatever is in them") {
    const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
    const ElementDifference apart = between<float>({nan, inf, 1}, {nan, inf, 1});
    CHECK(apart.differing == 0);
    CHECK(apart.max == 0);
    CHECK(apart.cosine == 1);
}

TEST_CASE("bits decide whether elements are equal, and a number is infinitely far from none") {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const ElementDifference zeros = between<double>({0.0, 1}, {-0.0, 1});
    CHECK(zeros.differing == 1);
    CHECK(zeros.max == 0);
    const ElementDifference none = between<double>({nan, 1}, {1, 1});
    CHECK(none.differing == 1);
    CHECK(std::isinf(none.max));
    CHECK(none.mean == 0);
    CHECK(std::isnan(none.cosine));
}
