// What changed between two recipes, in the terms of the user's YAML.
#pragma once

#include <string>
#include <vector>

#include "pipeline/store/recipe.h"

namespace satdl {

struct RecipeDifference {
    std::string part;  // KeyPart::name; "" if only their order differs
    std::string text;  // "noise_factor: 0.4 -> 0.2"; "input images changed"; "libtorch: 2.13.0+cpu -> ..."
};

// None if the recipes are equal.
[[nodiscard]] std::vector<RecipeDifference> differences(const Recipe& before, const Recipe& now);

// The text of the first; empty if they are equal.
[[nodiscard]] std::string first_difference(const Recipe& before, const Recipe& now);

}  // namespace satdl
