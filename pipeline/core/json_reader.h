// JSON as a ConfigValue, for those who have no YAML: what satdl itself wrote, and stages in their processes may send anything.
#pragma once

#include <optional>
#include <string_view>

#include "pipeline/core/config_value.h"

namespace satdl {

// nullopt if it is not JSON, or nested deeper than anything that satdl writes.
[[nodiscard]] std::optional<ConfigValue> parse_json(std::string_view text);

}  // namespace satdl
