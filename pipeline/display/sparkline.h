// A row of numbers as a row of bars, one character each: "█▆▅▃▂▁▁".
#pragma once

#include <span>
#include <string>

namespace satdl {

// The minimum is ▁, the maximum █; if all are equal, each is ▄. More than `width` numbers are averaged to `width`
// means of the finite ones; × where there is no finite number. Precondition: width > 0.
[[nodiscard]] std::string sparkline(std::span<const double> values, int width);

}  // namespace satdl
