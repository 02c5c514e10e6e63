#include "pipeline/sweep/side_comparison.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

namespace satdl {

namespace {

using Side = std::vector<ComparedPoint>;

const double* metric_of(const ComparedPoint& point, const std::string& metric) {
    const auto found = point.metrics.find(metric);
    return found == point.metrics.end() ? nullptr : &found->second;
}

// A point without a key repeats no other.
std::string artifact_of(const ComparedPoint& point, const std::string& metric) {
    const auto found = point.artifacts.find(metric);
    return found == point.artifacts.end() ? "point " + point.repetition : found->second;
}

// 0 for values that are equal but for rounding: those differences would scatter around nothing.
double difference_of(double before, double now) {
    constexpr double kRounding = 1e-12;  // relative, as in mean_interval_95()
    return std::abs(now - before) <= kRounding * std::max(std::abs(before), std::abs(now)) ? 0 : now - before;
}

Sample sample_of_side(const Side& side, const std::string& metric) {
    std::vector<double> values;
    std::set<std::string> seen;
    for (const ComparedPoint& point : side)
        if (const double* value = metric_of(point, metric);
            value != nullptr && seen.insert(artifact_of(point, metric)).second)
            values.push_back(*value);
    return sample_of(values);
}

const ComparedPoint* partner(const ComparedPoint& point, const Side& first, const Side& second) {
    if (first.size() == 1 && second.size() == 1) return &first.front();
    const auto found = std::ranges::find(first, point.repetition, &ComparedPoint::repetition);
    return found == first.end() ? nullptr : &*found;
}

MetricComparison::Difference difference_of(const Side& first, const Side& second, const std::string& metric) {
    std::vector<double> differences;
    std::set<std::pair<std::string, std::string>> seen;
    for (const ComparedPoint& point : second) {
        const ComparedPoint* const other = partner(point, first, second);
        const double* const before = other != nullptr ? metric_of(*other, metric) : nullptr;
        const double* const now = metric_of(point, metric);
        if (before == nullptr || now == nullptr) continue;
        if (seen.emplace(artifact_of(*other, metric), artifact_of(point, metric)).second)
            differences.push_back(difference_of(*before, *now));
    }
    const Sample sample = sample_of(differences);
    return {sample, mean_interval_95(sample)};
}

}  // namespace

std::vector<MetricComparison> compare_sides(const std::vector<Side>& sides, const std::vector<std::string>& metrics) {
    std::vector<MetricComparison> compared;
    for (const std::string& metric : metrics) {
        MetricComparison& one = compared.emplace_back(MetricComparison{.metric = metric, .sides = {}, .differences = {}});
        for (const Side& side : sides) one.sides.push_back(sample_of_side(side, metric));
        for (std::size_t i = 1; i < sides.size(); ++i)
            one.differences.push_back(difference_of(sides.front(), sides[i], metric));
    }
    return compared;
}

}  // namespace satdl
