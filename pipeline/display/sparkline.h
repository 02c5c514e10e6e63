// A row of numbers as a row of bars, one a character: "█▆▅▃▂▁▁".
#pragma once

#include <span>
#include <string>

namespace satdl {

// The least number is ▁, the greatest █; where all are the same, each is ▄. More than `width` numbers are thinned to their
// means; what is not finite counts in none of these, and is × where it is alone. Precondition: width > 0.
[[nodiscard]] std::string sparkline(std::span<const double> values, int width);

}  // namespace satdl
