// The entries of an array in another shape: [N, 784] with [1, 28, 28] for each becomes [N, 1, 28, 28]. Their number, the first extent,
// stays.
#pragma once

#include <span>
#include <string>
#include <variant>

#include "pipeline/core/array.h"

namespace satdl {

struct CannotReshape {
    std::string because;
};

inline constexpr const char* kReshapeIs = "reshape is the shape of one entry, without their number: reshape: [1, 28, 28]";

// `entry`: whole numbers from 1 on, or that is the reason why not. The first extent of `shape` may be -1 (unknown).
[[nodiscard]] std::variant<Shape, CannotReshape> reshaped(const Shape& shape, std::span<const double> entry);

}  // namespace satdl
