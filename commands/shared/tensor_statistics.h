// Summary statistics of a tensor.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "commands/shared/array_slice.h"
#include "pipeline/core/array.h"

namespace satdl {

// How often numbers lie in each of some intervals of equal width; of few different whole numbers, how often each occurs.
struct Histogram {
    std::vector<double> edges;         // one more than counts; of single numbers: those numbers, as many as counts
    std::vector<std::int64_t> counts;  // the last interval has both its ends
    [[nodiscard]] bool is_of_single_numbers() const { return edges.size() == counts.size(); }
};

struct Statistics {
    std::int64_t count = 0;                     // elements
    std::int64_t nan_count = 0, inf_count = 0;  // excluded from the numbers below
    std::int64_t zero_count = 0;
    double min = 0, max = 0, mean = 0, deviation = 0;  // of the population; 0 if there are no finite elements
    Histogram histogram;
};

// Reads the elements twice. `progress`: called with how many elements have been read, of 2 * count.
[[nodiscard]] Statistics statistics_of(const ArraySlice& slice, const std::function<void(std::int64_t)>& progress = {});
// The elements of a small tensor as text.
[[nodiscard]] std::vector<double> numbers_of(const Array& array);

}  // namespace satdl
