// The elements of an array as another type.
#pragma once

#include "pipeline/core/array.h"

namespace satdl::stages {

// Each value as `to` has it. From float64 to float32 a value is rounded to the nearest, as that is what float32 is asked for; apart from
// that a value must be the same in both types, or Error{StageFailed} names the first that is not.
// `lossy`: the nearest value of `to` instead. A NaN has none among whole numbers, and is always refused there.
[[nodiscard]] Array converted(const Array& array, DType to, bool lossy);

}  // namespace satdl::stages
