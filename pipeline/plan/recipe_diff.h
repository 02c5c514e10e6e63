// What changed between two recipes, in the terms of the user's YAML.
#pragma once

#include <string>

#include "pipeline/store/recipe.h"

namespace satdl {

// The first part in which two recipes differ, as a message: "noise_factor was 0.4, is 0.2"; "input images changed"; "libtorch was ...".
// Empty if they are equal.
[[nodiscard]] std::string first_difference(const Recipe& before, const Recipe& now);

}  // namespace satdl
