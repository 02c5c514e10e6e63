// Mean and standard deviation of a few values, and a confidence interval for the mean of their distribution.
//
// Student's t distribution for whole degrees of freedom has a closed form: Abramowitz and Stegun, Handbook of Mathematical
// Functions (1964), 26.7.3 and 26.7.4. Every term of it is positive, so nothing cancels; no approximation is needed.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

namespace satdl {

// The t below which |t| stays with probability `confidence`: 12.706 for 0.95 and one degree of freedom. Preconditions:
// 0 < confidence < 1, degrees >= 1.
[[nodiscard]] double student_t_bound(double confidence, std::size_t degrees);

// Of values that are all finite; others make everything NaN.
struct Sample {
    std::size_t n = 0;
    std::optional<double> mean;  // from one value on
    std::optional<double> sd;    // from two on: with n - 1 in the denominator
};
[[nodiscard]] Sample sample_of(std::span<const double> values);

struct Interval {
    double low = 0, high = 0;
    [[nodiscard]] bool has_zero() const { return !(low > 0) && !(high < 0); }
};
// Of the mean, with 95 % confidence, for values that are drawn independently from a normal distribution. nullopt for fewer
// than two values, or for equal ones (rounding aside): they say nothing about how far others would lie from them.
[[nodiscard]] std::optional<Interval> mean_interval_95(const Sample& sample);

}  // namespace satdl
