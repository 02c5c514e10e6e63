#include "stages/array_conversion.h"

#include <fmt/format.h>

#include <cmath>
#include <concepts>
#include <limits>
#include <optional>

#include "pipeline/core/fresh_array.h"
#include "stages/ports.h"

namespace satdl::stages {
namespace {

template <std::integral Whole>
bool in_range(std::floating_point auto value) {  // false for a NaN; the bounds are powers of two, or one below
    return value >= static_cast<double>(std::numeric_limits<Whole>::min()) && value < std::ldexp(1.0, std::numeric_limits<Whole>::digits);
}

// Of those in the range of To; nothing for a NaN among whole numbers.
template <typename To, typename From>
std::optional<To> nearest(From value) {
    using Limits = std::numeric_limits<To>;
    if constexpr (std::floating_point<To>) {
        return static_cast<To>(value);
    } else if constexpr (std::integral<From>) {
        if (std::in_range<To>(value)) return static_cast<To>(value);
        return value < 0 ? Limits::min() : Limits::max();
    } else {
        if (std::isnan(value)) return std::nullopt;
        const From whole = std::nearbyint(value);
        if (in_range<To>(whole)) return static_cast<To>(whole);
        return whole < 0 ? Limits::min() : Limits::max();
    }
}

template <typename To, typename From>
bool is_same(From value, To result) {
    if constexpr (std::floating_point<From> && std::floating_point<To>) {
        return std::isfinite(result) || !std::isfinite(value);  // rounded, but not beyond the range
    } else if constexpr (std::integral<From> && std::integral<To>) {
        return std::cmp_equal(value, result);
    } else if constexpr (std::integral<To>) {
        return in_range<To>(value) && static_cast<From>(result) == value;
    } else {
        return in_range<From>(result) && static_cast<From>(result) == value;
    }
}

// Of element `number` in C order: "[0, 3]".
std::string position_text(std::size_t number, const Shape& shape) {
    Shape position(shape.size());
    for (std::size_t axis = shape.size(); axis-- > 0; number /= static_cast<std::size_t>(shape[axis]))
        position[axis] = static_cast<std::int64_t>(number % static_cast<std::size_t>(shape[axis]));
    return shape_text(position);
}

template <typename To, typename From>
Array convert(const Array& array, bool lossy) {
    const std::span<const From> from = array.values<From>();
    FreshArray made(kDTypeOf<To>, array.shape());
    const std::span<To> to = made.values<To>();
    for (std::size_t i = 0; i < from.size(); ++i) {
        const std::optional<To> value = nearest<To>(from[i]);
        if (!value || !(lossy || is_same(from[i], *value))) {
            throw stage_error(fmt::format("element {} is {}, which {} does not have", position_text(i, array.shape()), from[i],
                                          name_of(kDTypeOf<To>)),
                              value ? "lossy: true takes the nearest value instead" : "replace it first: numpy.nan_to_num(array)");
        }
        to[i] = *value;
    }
    return std::move(made).finish();
}

template <typename Use>
Array with_type(DType dtype, Use use) {
    switch (dtype) {
        case DType::UInt8: return use(std::uint8_t{});
        case DType::Int32: return use(std::int32_t{});
        case DType::Int64: return use(std::int64_t{});
        case DType::Float32: return use(float{});
        case DType::Float64: break;
    }
    return use(double{});
}

}  // namespace

Array converted(const Array& array, DType to, bool lossy) {
    if (array.dtype() == to) return array;
    return with_type(to, [&](auto target) {
        return with_type(array.dtype(), [&](auto source) { return convert<decltype(target), decltype(source)>(array, lossy); });
    });
}

}  // namespace satdl::stages
