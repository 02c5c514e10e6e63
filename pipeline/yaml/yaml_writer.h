// ConfigValue to YAML text, in the style of the DAG files that ship with satdl: the outer maps as blocks, and within `{...}` or `[...]`
// what fits on a line. parse_yaml() reads the same value back: what a text is quoted for is whatever a reader could take for something
// else.
#pragma once

#include <string>
#include <string_view>

#include "pipeline/core/config_value.h"

namespace satdl {

// Precondition: a map that is not empty, and no text with a control character but \n and \t, as parse_yaml() accepts none. Ends with a line
// feed.
[[nodiscard]] std::string yaml_text(const ConfigValue& map);

// A text on one line, in quotes if some reader could take it for something else.
[[nodiscard]] std::string yaml_scalar(std::string_view text);

}  // namespace satdl
