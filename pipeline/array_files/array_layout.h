// Arrays whose axes stand in another order.
#pragma once

#include <cstddef>
#include <span>

#include "pipeline/core/array.h"

namespace satdl {

// A copy in which axis i is axis order[i] of `array`. Precondition: `order` holds each of its axes once.
[[nodiscard]] Array with_axes(const Array& array, std::span<const std::size_t> order);

// The first `limit` entries along the first axis, in the same memory. A scalar stays as it is.
[[nodiscard]] Array first_entries(const Array& array, std::int64_t limit);

}  // namespace satdl
