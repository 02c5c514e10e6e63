#include "pipeline/sweep/side_comparison.h"

#include <catch2/catch.hpp>

using namespace satdl;

namespace {

ComparedPoint point(const std::string& repetition, double value, const std::string& artifact) {
    return {.repetition = repetition, .metrics = {{"m", value}}, .artifacts = {{"m", artifact}}};
}

MetricComparison compared(const std::vector<std::vector<ComparedPoint>>& sides) {
    return compare_sides(sides, {"m"}).front();
}

}  // namespace

TEST_CASE("sides are compared repetition by repetition") {
    const auto result = compared({{point("seed=1", 1, "a"), point("seed=2", 5, "b"), point("seed=3", 3, "c")},
                                  {point("seed=3", 3.5, "f"), point("seed=1", 2, "d"), point("seed=2", 6.5, "e")}});
    CHECK(*result.sides[0].mean == 3);
    CHECK(*result.sides[0].sd == 2);
    CHECK(*result.sides[1].mean == 4);
    REQUIRE(result.differences.size() == 1);
    CHECK(result.differences[0].sample.n == 3);
    CHECK(*result.differences[0].sample.mean == 1);
    CHECK(*result.differences[0].sample.sd == 0.5);
    // 1 -+ t(0.95, 2) * 0.5 / sqrt(3)
    CHECK(result.differences[0].interval->low == Approx(1 - 4.302653 * 0.5 / 1.7320508).epsilon(1e-6));
    CHECK(result.differences[0].interval->high == Approx(1 + 4.302653 * 0.5 / 1.7320508).epsilon(1e-6));
}

TEST_CASE("points that share the artifact of their number count once") {
    const auto result =
        compared({{point("seed=1", 1, "a"), point("seed=2", 1, "a")}, {point("seed=1", 2, "b"), point("seed=2", 2, "b")}});
    CHECK(result.sides[0].n == 1);
    CHECK(result.differences[0].sample.n == 1);
    CHECK_FALSE(result.differences[0].interval);
}

TEST_CASE("repetitions that only one side has are in its mean, and in no difference") {
    const auto result =
        compared({{point("seed=1", 1, "a"), point("seed=2", 2, "b")}, {point("seed=2", 4, "c"), point("seed=3", 9, "d")}});
    CHECK(*result.sides[1].mean == 6.5);
    CHECK(result.differences[0].sample.n == 1);
    CHECK(*result.differences[0].sample.mean == 2);
    CHECK(
        compared({{point("seed=1", 1, "a"), point("seed=2", 1, "b")}, {point("seed=3", 1, "c")}}).differences[0].sample.n ==
        0);
}

TEST_CASE("two points are compared although their seeds differ, and a side without the metric has no number") {
    const auto result = compared({{point("seed=1", 1, "a")}, {point("seed=2", 4, "b")}, {ComparedPoint{}}});
    CHECK(*result.differences[0].sample.mean == 3);
    CHECK(result.sides[2].n == 0);
    CHECK(result.differences[1].sample.n == 0);
}

TEST_CASE("a difference that is rounding alone is none") {
    const auto result = compared({{point("seed=1", 0.1 + 0.2, "a"), point("seed=2", 0.5, "b")},
                                  {point("seed=1", 0.3, "c"), point("seed=2", 0.5, "d")}});
    CHECK(*result.differences[0].sample.mean == 0);
    CHECK_FALSE(result.differences[0].interval);
}
