#include "pipeline/display/sparkline.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string_view>
#include <vector>

#include "pipeline/core/check.h"

namespace satdl {
namespace {

constexpr std::array<std::string_view, 8> kBars{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
constexpr std::string_view kNoNumber = "×";

double finite_mean(std::span<const double> values) {
    double sum = 0;
    int count = 0;
    for (const double value : values) {
        if (!std::isfinite(value)) continue;
        sum += value;
        ++count;
    }
    return count == 0 ? std::numeric_limits<double>::quiet_NaN() : sum / count;
}

// Splits the values into parts of nearly equal size.
std::vector<double> thinned(std::span<const double> values, std::size_t parts) {
    std::vector<double> means;
    for (std::size_t i = 0; i < parts; ++i) {
        const std::size_t first = i * values.size() / parts, last = (i + 1) * values.size() / parts;
        means.push_back(finite_mean(values.subspan(first, last - first)));
    }
    return means;
}

}  // namespace

std::string sparkline(std::span<const double> values, int width) {
    SATDL_CHECK(width > 0, "a sparkline has room for a bar");
    const std::vector<double> bars = thinned(values, std::min(values.size(), static_cast<std::size_t>(width)));
    double min = std::numeric_limits<double>::infinity(), max = -min;
    for (const double bar : bars) {
        if (!std::isfinite(bar)) continue;
        min = std::min(min, bar);
        max = std::max(max, bar);
    }
    const double range = max / 2 - min / 2;  // halves: no overflow
    std::string text;
    for (const double bar : bars) {
        if (!std::isfinite(bar)) {
            text += kNoNumber;
        } else {
            const double share = range > 0 ? (bar / 2 - min / 2) / range : 0.49;
            text += kBars[std::min<std::size_t>(static_cast<std::size_t>(share * kBars.size()), kBars.size() - 1)];
        }
    }
    return text;
}

}  // namespace satdl
