// `params:` of a DAG file with a profile and --set laid over it: maps are merged key by key, all else is replaced. A name
// that `params:` does not have is a mistake: whoever sets one meant another.
#pragma once

#include <string>
#include <vector>

#include "pipeline/core/config_value.h"
#include "pipeline/yaml/override.h"

namespace satdl {

// The `params:` of a file, its `profiles:`, and what the command line says. All profiles are checked, whichever is chosen.
struct ParameterLayers {
    ConfigValue params;    // a map, or null
    ConfigValue profiles;  // a map of maps, or null
    std::string profile;
    std::vector<Override> set;  // of one value each, dotted names; later ones win
};

[[nodiscard]] ConfigValue merged_parameters(const ParameterLayers& layers, Diagnostics& diagnostics);

}  // namespace satdl
