// Which stages differ only in their length: a training of 50 epochs passes the state where one of 20 ended
// (ParamDescription::continues).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "pipeline/dag/dag.h"
#include "pipeline/store/recipe.h"

namespace satdl {

struct Continuation {
    std::string param;      // that sets the length: "epochs"
    std::int64_t target = 0;  // its value
    Recipe base_recipe;             // the recipe without it: the same for all lengths
    std::string blocker;   // "schedule cosine depends on epochs": then it cannot continue a shorter one; else ""
};

// nullopt if no parameter of the stage has `continues`.
[[nodiscard]] std::optional<Continuation> continuation_of(const Node& node, const Recipe& recipe);

// The target of `recipe`, if the two differ in nothing else.
[[nodiscard]] std::optional<std::int64_t> target_of(const Recipe& recipe, const Continuation& continuation);

}  // namespace satdl
