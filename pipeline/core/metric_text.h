// The value of a metric as people read it. Below display/, since the text of a sweep's comparison is also part of its event.
#pragma once

#include <string>

namespace satdl {

// As Keras: %.4f, %.4e if |value| <= 0.001; counts in full; "0", "nan", "inf".
[[nodiscard]] std::string metric_text(double value);

}  // namespace satdl
