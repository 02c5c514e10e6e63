// Summary statistics of a tensor.
#pragma once

#include "pipeline/core/array.h"

namespace satdl {

struct Statistics {
    std::int64_t count = 0;                               // elements
    std::int64_t nan_count = 0;                           // excluded from the numbers below
    double min = 0, max = 0, mean = 0, deviation = 0;  // of the population; 0 if there are no elements
};

[[nodiscard]] Statistics statistics_of(const Array& array);
// The elements of a small tensor as text.
[[nodiscard]] std::vector<double> numbers_of(const Array& array);

}  // namespace satdl
