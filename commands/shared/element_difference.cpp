#include "commands/shared/element_difference.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>

#include "pipeline/core/check.h"

namespace satdl {

namespace {

template <typename T>
ElementDifference apart(std::span<const T> a, std::span<const T> b) {
    ElementDifference result{.count = static_cast<std::int64_t>(a.size())};
    double sum = 0, dot = 0, first = 0, second = 0;
    std::int64_t numbers = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const auto x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
        dot += x * y;
        first += x * x;
        second += y * y;
        const bool same = std::memcmp(&a[i], &b[i], sizeof(T)) == 0;
        if (!same) ++result.differing;
        const double distance = same ? 0 : std::abs(x - y);
        if (std::isnan(distance)) {
            if (std::isnan(x) != std::isnan(y)) result.max = std::numeric_limits<double>::infinity();
            continue;
        }
        ++numbers;
        sum += distance;
        result.max = std::max(result.max, distance);
        if (distance > 0) result.max_relative = std::max(result.max_relative, distance / std::max(std::abs(x), std::abs(y)));
    }
    if (numbers > 0) result.mean = sum / static_cast<double>(numbers);
    result.cosine = result.differing == 0 ? 1 : dot / (std::sqrt(first) * std::sqrt(second));
    return result;
}

}  // namespace

ElementDifference elements_apart(const Array& a, const Array& b) {
    SATDL_CHECK(a.dtype() == b.dtype() && a.shape() == b.shape(), "arrays of one type and shape are compared");
    switch (a.dtype()) {
        case DType::UInt8:
            return apart(a.values<std::uint8_t>(), b.values<std::uint8_t>());
        case DType::Int32:
            return apart(a.values<std::int32_t>(), b.values<std::int32_t>());
        case DType::Int64:
            return apart(a.values<std::int64_t>(), b.values<std::int64_t>());
        case DType::Float32:
            return apart(a.values<float>(), b.values<float>());
        case DType::Float64:
            break;
    }
    return apart(a.values<double>(), b.values<double>());
}

}  // namespace satdl
