// The parameters of a stage against each other and against its inputs: combinations that make no sense are refused
// before anything runs, and never silently ignored. A parameter that is left at its default, or given that very value, conflicts with
// nothing: so `momentum: ${momentum}` may be written with `optimiser: ${optimiser}` in a sweep over both.
#pragma once

#include <string>
#include <vector>

#include "pipeline/dag/dag.h"

namespace satdl {

// A parameter with a value that another parameter, or an input, does not admit.
struct ParamConflict {
    enum class Rule { Needs, Excludes, Below };  // of ParamDescription
    Rule rule;
    std::string param;  // whose rule it is
    std::string other;
    bool other_is_input = false;
    Diagnostic diagnostic;  // at the parameter's place
};

// Violations of ParamDescription::needs, excludes and below. Precondition: the parameters are checked, defaults filled in.
[[nodiscard]] std::vector<ParamConflict> find_conflicts(const Node& node);

}  // namespace satdl
