#include "pipeline/sweep/mean_interval.h"

#include <cmath>
#include <numbers>

#include "pipeline/core/check.h"

namespace satdl {
namespace {

// A(t|degrees), how likely |t| stays below this value, with t = sqrt(degrees) tan(theta).
double within_angle(double theta, std::size_t degrees) {
    const double sine = std::sin(theta), cosine = std::cos(theta);
    const bool odd = degrees % 2 == 1;
    double term = odd ? cosine : 1, sum = degrees == 1 ? 0 : term;
    for (std::size_t k = odd ? 3 : 2; k + 2 <= degrees; k += 2) {
        term *= cosine * cosine * static_cast<double>(k - 1) / static_cast<double>(k);
        sum += term;
    }
    return odd ? (theta + sine * sum) * 2 / std::numbers::pi : sine * sum;
}

}  // namespace

// Bisects the angle, which is bounded, unlike t.
double student_t_bound(double confidence, std::size_t degrees) {
    SATDL_CHECK(confidence > 0 && confidence < 1 && degrees >= 1, "a confidence lies between 0 and 1");
    double low = 0, high = std::numbers::pi / 2;
    for (double middle = (low + high) / 2; low < middle && middle < high; middle = (low + high) / 2) {
        (within_angle(middle, degrees) < confidence ? low : high) = middle;
    }
    return std::sqrt(static_cast<double>(degrees)) * std::tan(low);
}

Sample sample_of(std::span<const double> values) {
    Sample sample{.n = values.size(), .mean = {}, .sd = {}};
    if (values.empty()) return sample;
    double sum = 0;
    for (const double value : values) sum += value;
    const double mean = sum / static_cast<double>(values.size());
    sample.mean = mean;
    if (values.size() < 2) return sample;
    double squares = 0;
    for (const double value : values) squares += (value - mean) * (value - mean);
    sample.sd = std::sqrt(squares / static_cast<double>(values.size() - 1));
    return sample;
}

std::optional<Interval> mean_interval_95(const Sample& sample) {
    constexpr double kRounding = 1e-12;  // relative; differences of equal fractions scatter by some 1e-16
    if (!sample.sd || *sample.sd <= kRounding * std::abs(*sample.mean)) return std::nullopt;
    const double n = static_cast<double>(sample.n);
    const double reach = student_t_bound(0.95, sample.n - 1) * *sample.sd / std::sqrt(n);
    return Interval{*sample.mean - reach, *sample.mean + reach};
}

}  // namespace satdl
