// What changed between two recipes, in the words that a user used in the YAML.
#pragma once

#include <string>

#include "pipeline/store/recipe.h"

namespace satdl {

// The first part in which two recipes differ, in words: "noise_factor was 0.4, is 0.2"; "input images changed"; "libtorch was ...".
// Empty where they are equal.
[[nodiscard]] std::string first_difference(const Recipe& before, const Recipe& now);

}  // namespace satdl
