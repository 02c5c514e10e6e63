// One swept parameter with its values, from `--sweep` and from YAML. Ranges step in decimal, not in binary: range(0.1,0.6,0.1) is
// exactly 0.1 ... 0.5.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pipeline/value.h"

namespace satdl {

// One swept parameter, in the order given: noise_factor -> 0.1, 0.2, 0.4.
struct SweepAxis {
    std::string name;
    std::vector<Value> values;
    bool repeats = false;  // a repetition of the same setting (a seed), not a setting: see mark_repetitions()
    Place place{};         // of its name
};

// "noise_factor=0.1,0.2,0.4", the same with choice(...) around the values, or "noise_factor=range(0.1,0.6,0.1)" (the stop is
// left out; also range(n), range(a,b)); they may be mixed: "a=1,range(2,5)". Throws Error{Usage} with a caret in the text:
// an empty range, a step of zero or of the wrong sign, a value that stands twice, over 10,000 values.
[[nodiscard]] SweepAxis parse_axis(const std::string& text);
// A parameter and a list, or the text that --sweep takes.
[[nodiscard]] SweepAxis axis_from_yaml(const Value::Entry& entry);

// Says which axes are repetitions: those that `named` names, if given ("none" alone: none of them); else those called
// `seed`, or ending in `.seed` or `_seed`. Throws Error{Usage} for a name that no axis has (did you mean).
void mark_repetitions(std::vector<SweepAxis>& axes, const std::optional<std::vector<Value>>& named);

}  // namespace satdl
