// How many rows a fraction of them is: one rule for the plan and for the stages that take them.
#pragma once

#include <cmath>
#include <cstdint>

namespace satdl {

// `rows` >= 0, `fraction` in [0, 1). To the nearest number, halves up; or `rounded_up`: all but the first floor(rows * (1 - fraction)),
// which is Keras' validation_split.
[[nodiscard]] inline std::int64_t fraction_of_rows(std::int64_t rows, double fraction, bool rounded_up) {
    const auto all = static_cast<double>(rows);
    return rounded_up ? rows - static_cast<std::int64_t>(std::floor(all * (1 - fraction))) : std::llround(all * fraction);
}

}  // namespace satdl
