// What a name was meant to be that satdl does not know, because it is mistyped or because Keras, PyTorch, Hydra or DVC call the thing so:
// for hints in error messages.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace satdl {

// The candidate that others call `name`, else the nearest one (Damerau-Levenshtein, at most a third of its length away); or nullopt.
[[nodiscard]] std::optional<std::string> nearest(std::string_view name, std::span<const std::string> candidates);

// "did you mean 'conv'?" for such a candidate, else "known: a, b, c" (all of them), else "".
[[nodiscard]] std::string did_you_mean(std::string_view name, std::span<const std::string> candidates);

}  // namespace satdl
