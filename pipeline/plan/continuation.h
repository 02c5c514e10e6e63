// Which stages go the same way and differ only in how far: a training of 50 epochs passes where one of 20 ended
// (ParamDescription::continues).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "pipeline/dag/dag.h"
#include "pipeline/store/recipe.h"

namespace satdl {

struct Continuation {
    std::string param;      // that says how far: "epochs"
    std::int64_t target = 0;  // its value
    Recipe base_recipe;             // the recipe without it: the same for all that go this way
    std::string blocker;   // "schedule cosine depends on epochs": then the way is its own, and it begins at the start; else ""
};

// Nothing where no parameter of the stage continues.
[[nodiscard]] std::optional<Continuation> continuation_of(const Node& node, const Recipe& recipe);

// How far what has `recipe` goes, where it differs in nothing else.
[[nodiscard]] std::optional<std::int64_t> goal_of(const Recipe& recipe, const Continuation& continuation);

}  // namespace satdl
