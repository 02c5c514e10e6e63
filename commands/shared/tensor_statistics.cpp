// Two passes, in double: the one-pass formula loses all precision if the mean is large compared to the deviation.
#include "commands/shared/tensor_statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace satdl {

namespace {

constexpr int kBins = 10;
constexpr double kFewNumbers = 20;  // whole numbers are counted one by one if there are no more different ones

template <typename Function>
auto with_values(const Array& array, const Function& function) {
    switch (array.dtype()) {
        case DType::UInt8:
            return function(array.values<std::uint8_t>());
        case DType::Int32:
            return function(array.values<std::int32_t>());
        case DType::Int64:
            return function(array.values<std::int64_t>());
        case DType::Float32:
            return function(array.values<float>());
        case DType::Float64:
            break;
    }
    return function(array.values<double>());
}

// Calls `take` with each element as a number, and `progress` after each piece; `already_read`: elements read in earlier
// passes.
template <typename Take>
void for_each_number(const ArraySlice& slice, const std::function<void(std::int64_t)>& progress, std::int64_t already_read,
                     const Take& take) {
    slice.for_each_piece([&](const Array& piece) {
        with_values(piece, [&](const auto& values) {
            for (const auto value : values) take(static_cast<double>(value));
        });
        already_read += piece.count();
        if (progress) progress(already_read);
    });
}

Histogram empty_histogram(const Statistics& found, DType dtype) {
    constexpr double kExact = 0x1p53;  // beyond it, a double is not every whole number
    Histogram histogram;
    const bool is_whole = dtype != DType::Float32 && dtype != DType::Float64;
    if (found.min == found.max) {
        histogram.edges = {found.min};
    } else if (is_whole && found.max - found.min < kFewNumbers && std::abs(found.min) < kExact &&
               std::abs(found.max) < kExact) {
        for (double number = found.min; number <= found.max; ++number) histogram.edges.push_back(number);
    } else {
        // The range itself may overflow: from the lowest double to the greatest.
        for (int i = 0; i < kBins; ++i)
            histogram.edges.push_back(found.min * (1 - i / double{kBins}) + found.max * (i / double{kBins}));
        histogram.edges.push_back(found.max);
        histogram.counts.resize(kBins);
        return histogram;
    }
    histogram.counts.resize(histogram.edges.size());
    return histogram;
}

// A guess, and then the interval itself: its edges decide.
void add(Histogram& histogram, double per_unit, double number) {
    const auto& edges = histogram.edges;
    const std::size_t last = histogram.counts.size() - 1;
    const double guess = per_unit > 0 ? (number - edges.front()) * per_unit : 0;
    auto at = static_cast<std::size_t>(std::clamp(guess, 0.0, static_cast<double>(last)));
    while (at > 0 && number < edges[at]) --at;
    while (at < last && number >= edges[at + 1]) ++at;
    ++histogram.counts[at];
}

}  // namespace

Statistics statistics_of(const ArraySlice& slice, const std::function<void(std::int64_t)>& progress) {
    Statistics found;
    found.count = slice.count();
    double sum = 0, min = std::numeric_limits<double>::infinity(), max = -min;
    for_each_number(slice, progress, 0, [&](double number) {
        if (!std::isfinite(number)) {
            ++(std::isnan(number) ? found.nan_count : found.inf_count);
            return;
        }
        found.zero_count += number == 0 ? 1 : 0;
        sum += number;
        min = std::min(min, number);
        max = std::max(max, number);
    });
    const std::int64_t numbers = found.count - found.nan_count - found.inf_count;
    if (numbers == 0) return found;
    found.min = min;
    found.max = max;
    found.mean = sum / static_cast<double>(numbers);
    found.histogram = empty_histogram(found, slice.dtype());
    const double range = found.max - found.min,
                 per_unit =
                     range > 0 && std::isfinite(range) ? static_cast<double>(found.histogram.edges.size() - 1) / range : 0;
    double squares = 0;
    for_each_number(slice, progress, found.count, [&](double number) {
        if (!std::isfinite(number)) return;
        squares += (number - found.mean) * (number - found.mean);
        add(found.histogram, per_unit, number);
    });
    found.deviation = std::sqrt(squares / static_cast<double>(numbers));
    return found;
}

std::vector<double> numbers_of(const Array& array) {
    return with_values(array, [](const auto& values) {
        std::vector<double> numbers;
        for (const auto value : values) numbers.push_back(static_cast<double>(value));
        return numbers;
    });
}

}  // namespace satdl
