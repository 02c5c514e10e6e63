// How far two arrays are apart, element by element.
#pragma once

#include <cstdint>

#include "pipeline/core/array.h"

namespace satdl {

struct ElementDifference {
    std::int64_t count = 0;    // elements
    std::int64_t differing = 0;  // in their bits: two zeros of different sign differ, and so do two NaNs
    double max = 0;            // of |a - b|; infinite if only one of the two is a number
    double mean = 0;           // of |a - b|, over all elements that are numbers in both
    double max_relative = 0;   // of |a - b| / max(|a|, |b|)
    double cosine = 1;         // a.b / (|a| |b|), as vectors of all elements; NaN if one of them is zero or not finite
};

// Precondition: the same element type and shape.
[[nodiscard]] ElementDifference elements_apart(const Array& a, const Array& b);

}  // namespace satdl
