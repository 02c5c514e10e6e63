#include "pipeline/core/reshape.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>

namespace satdl {

std::variant<Shape, CannotReshape> reshaped(const Shape& shape, std::span<const double> entry) {
    constexpr double kGreatest = 9007199254740992;  // 2^53: up to here, a double is the very number that was written
    if (shape.empty()) return CannotReshape{"a scalar has no entries"};
    const Shape before(shape.begin() + 1, shape.end());
    Shape after;
    for (const double extent : entry) {
        if (!(extent >= 1 && extent <= kGreatest && std::trunc(extent) == extent))
            return CannotReshape{fmt::format("{} is not an extent", extent)};
        after.push_back(static_cast<std::int64_t>(extent));
    }
    const auto elements = [](const Shape& extents) {  // of one entry; 0: too many
        std::int64_t count = 1;
        for (const std::int64_t extent : extents)
            if (__builtin_mul_overflow(count, extent, &count)) return std::int64_t{0};
        return count;
    };
    if (elements(after) != elements(before)) {
        return CannotReshape{fmt::format("its entries have {} elements (shape {}), not {} (shape {})", elements(before), shape_text(before),
                                         elements(after) == 0 ? "more than 2^63" : std::to_string(elements(after)), shape_text(after))};
    }
    Shape result{shape.front()};
    result.insert(result.end(), after.begin(), after.end());
    return result;
}

}  // namespace satdl
