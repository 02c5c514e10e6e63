// `m1.epochs=5` on the command line: a key of the stage m1's own map, as if it stood in the file. Of a group (`foreach`, `matrix`) it is
// set in all its stages.
//
// A parameter wins: where `params` has m1.epochs, that is what is set, as it is by every other setting with such a name.
#pragma once

#include <string_view>
#include <vector>

#include "pipeline/core/config_value.h"
#include "pipeline/yaml/override.h"

namespace satdl {

// Whether `name` is STAGE.KEY of a stage in the document, and no parameter.
[[nodiscard]] bool is_of_stage(std::string_view name, const ConfigValue& document);

// The section `stages:` of the document with the settings that are of stages; later ones win.
[[nodiscard]] ConfigValue stages_with(const std::vector<Override>& settings, const ConfigValue& document);

// Whether the value of `key` in a stage's map is such a setting, and not in the file.
[[nodiscard]] bool is_set_on_command_line(std::string_view key, const ConfigValue& stage);

}  // namespace satdl
