#include "pipeline/catalog/execution_policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "pipeline/core/config_value.h"

namespace satdl {
namespace {

using Unit = std::pair<std::string_view, double>;
constexpr std::array<Unit, 5> kTimes{{{"ms", 1e-3}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}}};
constexpr std::array<Unit, 5> kSizes{{{"B", 1}, {"kB", 0x1p10}, {"MB", 0x1p20}, {"GB", 0x1p30}, {"TB", 0x1p40}}};

// The number before one of the units, in the smallest of them.
std::optional<double> measured(std::string_view text, std::span<const Unit> units) {
    const std::size_t digits = std::min(text.find_last_of("0123456789") + 1, text.size());
    const std::string_view name = text.substr(digits);
    const auto unit = std::ranges::find(units, name, &Unit::first);
    const auto number = ConfigValue::scalar(std::string(text.substr(0, digits))).as_number();
    if (unit == units.end() || !number || *number < 0) return std::nullopt;
    return *number * unit->second;
}

}  // namespace

double ExecutionPolicy::grace_seconds() const { return std::clamp(*timeout_seconds / 10, 1.0, 30.0); }

std::optional<double> seconds_from_text(std::string_view text) { return measured(text, kTimes); }

std::optional<std::uint64_t> bytes_from_text(std::string_view text) {
    const auto bytes = measured(text, kSizes);
    if (!bytes || *bytes >= 0x1p62) return std::nullopt;
    return static_cast<std::uint64_t>(std::llround(*bytes));
}

std::string memory_text(std::uint64_t bytes) {
    const auto number = static_cast<double>(bytes);
    const auto unit = std::find_if(kSizes.rbegin(), kSizes.rend() - 1, [&](const Unit& one) { return number >= one.second; });
    return fmt::format("{:.4g} {}", number / unit->second, unit->first);
}

}  // namespace satdl
