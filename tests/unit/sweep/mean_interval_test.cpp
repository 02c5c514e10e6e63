#include "pipeline/sweep/mean_interval.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>
#include <vector>

using namespace satdl;

namespace {

// How likely |t| stays below `bound`: Student's density, integrated by Simpson's rule over the angle whose tangent is t/sqrt(degrees).
double integrated(double bound, std::size_t degrees) {
    constexpr int kSteps = 2000;  // even
    const auto n = static_cast<double>(degrees);
    const double scale = 2 * std::exp(std::lgamma((n + 1) / 2) - std::lgamma(n / 2)) / std::sqrt(std::numbers::pi);
    const double width = std::atan(bound / std::sqrt(n)) / kSteps;
    double sum = 0;
    for (int i = 0; i <= kSteps; ++i)
        sum += (i == 0 || i == kSteps ? 1 : i % 2 == 1 ? 4 : 2) * std::pow(std::cos(i * width), n - 1);
    return scale * sum * width / 3;
}

}  // namespace

// Abramowitz and Stegun, table 26.10: percentage points of the t distribution, to three places.
TEST_CASE("the bounds of Student's t are those of the published tables") {
    const std::vector<std::pair<std::size_t, double>> at_95{{1, 12.706}, {2, 4.303}, {3, 3.182},  {4, 2.776},  {5, 2.571},
                                                            {6, 2.447},  {7, 2.365}, {9, 2.262},  {10, 2.228}, {15, 2.131},
                                                            {20, 2.086}, {29, 2.045}, {30, 2.042}, {60, 2.000}, {120, 1.980}};
    for (const auto& [degrees, bound] : at_95) CHECK(student_t_bound(0.95, degrees) == Approx(bound).margin(0.0005));
    CHECK(student_t_bound(0.99, 1) == Approx(63.657).margin(0.0005));
    CHECK(student_t_bound(0.99, 4) == Approx(4.604).margin(0.0005));
    CHECK(student_t_bound(0.90, 10) == Approx(1.812).margin(0.0005));
    CHECK(student_t_bound(0.999, 5) == Approx(6.869).margin(0.0005));
    CHECK(student_t_bound(0.95, 10'000) == Approx(1.960).margin(0.0005));  // the normal distribution's
}

TEST_CASE("a bound is where the probability is reached") {
    for (const std::size_t degrees : {1, 2, 3, 4, 9, 100}) {
        for (const double confidence : {0.01, 0.5, 0.95, 0.9999})
            CHECK(integrated(student_t_bound(confidence, degrees), degrees) == Approx(confidence).epsilon(1e-9));
    }
    // The probability in closed form: 2/pi atan(t) for one degree of freedom, t/sqrt(2 + t^2) for two.
    CHECK(student_t_bound(0.5, 1) == Approx(1).epsilon(1e-14));
    CHECK(student_t_bound(3 / std::sqrt(11), 2) == Approx(3).epsilon(1e-14));
}

TEST_CASE("a sample has a mean from one value on, a standard deviation from two on") {
    CHECK(!sample_of({}).mean);
    const std::vector<double> one{3}, four{2, 4, 4, 6};
    CHECK(sample_of(one).mean == 3);
    CHECK(!sample_of(one).sd);
    CHECK(!mean_interval_95(sample_of(one)));
    CHECK(sample_of(four).mean == 4);
    CHECK(*sample_of(four).sd == Approx(std::sqrt(8.0 / 3)));
    const Interval interval = *mean_interval_95(sample_of(four));
    CHECK(interval.high - 4 == Approx(3.182446 * std::sqrt(8.0 / 3) / 2).epsilon(1e-6));
    CHECK(4 - interval.low == Approx(interval.high - 4));
    CHECK(!interval.has_zero());
    const std::vector<double> equal{0.8 - 0.5, 0.7 - 0.4, 0.3};  // they differ by rounding alone
    CHECK(*sample_of(equal).sd > 0);
    CHECK(!mean_interval_95(sample_of(equal)));
}

TEST_CASE("an interval that touches zero has it, and one that is not known cannot exclude it") {
    CHECK(Interval{-1, 0}.has_zero());
    CHECK(Interval{0, 0}.has_zero());
    CHECK(!Interval{-2, -1}.has_zero());
    const double nan = std::numeric_limits<double>::quiet_NaN();
    CHECK(Interval{nan, nan}.has_zero());
}
