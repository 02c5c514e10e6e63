// One swept parameter with its values, from the command line or from YAML.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pipeline/yaml/override.h"

namespace satdl {

// One swept parameter, in the order given: noise_factor -> 0.1, 0.2, 0.4.
struct SweepAxis {
    std::string name;
    std::vector<ConfigValue> values;
    bool repeats = false;  // its values repeat the same setting, as seeds do: see mark_repetitions()
    Place place{};         // of its name
    bool unused = false;   // its values make no difference to any stage of the run: see mark_unused_axes()
};

[[nodiscard]] SweepAxis axis_of(Override swept);
[[nodiscard]] SweepAxis parse_axis(const std::string& text);  // of --sweep
// A parameter with a list, or with a text as after '=' on the command line. Throws Error{Usage} with its place.
[[nodiscard]] SweepAxis axis_from_yaml(const ConfigValue::Entry& entry);

// Sets SweepAxis::repeats: of the axes in `named`, if given ("none" alone: of no axis); else of those called `seed`, or ending in `.seed`
// or `_seed` (see also mark_seeds()). Throws Error{Usage} for a name that no axis has (did you mean).
void mark_repetitions(std::vector<SweepAxis>& axes, const std::optional<std::vector<ConfigValue>>& named);

}  // namespace satdl
