// What a mistyped name was meant to be: for hints in error messages.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace satdl {

// The candidate nearest to `name` (Damerau-Levenshtein, at most a third of its length away), or nullopt.
[[nodiscard]] std::optional<std::string> nearest(std::string_view name, std::span<const std::string> candidates);

// "did you mean 'conv'?" for a near candidate, else "known: a, b, c" (at most a dozen), else "".
[[nodiscard]] std::string did_you_mean(std::string_view name, std::span<const std::string> candidates);

}  // namespace satdl
