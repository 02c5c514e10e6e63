// `params:` of a DAG file, overridden by a profile and by --set: maps are merged key by key, everything else is replaced. A name that
// `params:` does not have is a mistake: it is probably misspelt.
#pragma once

#include <string>
#include <vector>

#include "pipeline/core/config_value.h"
#include "pipeline/yaml/override.h"

namespace satdl {

// The `params:` and `profiles:` of a file, and the settings of the command line. All profiles are checked, whichever is chosen.
struct ParameterLayers {
    ConfigValue params;    // a map, or null
    ConfigValue profiles;  // a map of maps, or null
    std::string profile;
    std::vector<Override> set;  // of one value each, dotted names; later ones win
};

[[nodiscard]] ConfigValue merged_parameters(const ParameterLayers& layers, Diagnostics& diagnostics);

}  // namespace satdl
