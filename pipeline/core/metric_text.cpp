#include "pipeline/core/metric_text.h"

#include <fmt/format.h>

#include <cmath>

namespace satdl {

std::string metric_text(double value) {
    if (value == 0 || !std::isfinite(value)) return fmt::format("{}", value == 0 ? 0.0 : value);
    if (value == std::trunc(value) && std::abs(value) >= 2 && std::abs(value) < 1e15) return fmt::format("{:.0f}", value);  // a count
    return std::abs(value) > 1e-3 ? fmt::format("{:.4f}", value) : fmt::format("{:.4e}", value);
}

}  // namespace satdl
