// Two passes, in double: the one-pass formula loses all precision if the mean is large compared to the deviation.
#include "commands/shared/tensor_statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace satdl {

namespace {

template <typename T>
Statistics statistics_of_values(std::span<const T> values) {
    Statistics found;
    found.count = static_cast<std::int64_t>(values.size());
    double sum = 0, min = std::numeric_limits<double>::infinity(), max = -min;
    for (const T value : values) {
        const auto number = static_cast<double>(value);
        if (std::isnan(number)) {
            ++found.nan_count;
            continue;
        }
        sum += number;
        min = std::min(min, number);
        max = std::max(max, number);
    }
    const std::int64_t numbers = found.count - found.nan_count;
    if (numbers == 0) return found;
    found.min = min;
    found.max = max;
    found.mean = sum / static_cast<double>(numbers);
    double squares = 0;
    for (const T value : values) {
        const double off = static_cast<double>(value) - found.mean;
        if (!std::isnan(off)) squares += off * off;
    }
    found.deviation = std::sqrt(squares / static_cast<double>(numbers));
    return found;
}

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

}  // namespace

Statistics statistics_of(const Array& array) {
    return with_values(array, [](const auto& values) { return statistics_of_values(values); });
}

std::vector<double> numbers_of(const Array& array) {
    return with_values(array, [](const auto& values) {
        std::vector<double> numbers;
        for (const auto value : values) numbers.push_back(static_cast<double>(value));
        return numbers;
    });
}

}  // namespace satdl
