// The parameters of a stage against each other and against its inputs: what makes no sense together is refused before
// anything runs, and never silently ignored. A parameter that is left at its default, or given that very value, asks for
// nothing: so `momentum: ${momentum}` may stand beside `optimiser: ${optimiser}` in a sweep over both.
#pragma once

#include "pipeline/dag/dag.h"

namespace satdl {

// Checks ParamDescription::needs, excludes and below. False where something was told, each at the parameter's place.
// Precondition: the parameters are checked, defaults filled in.
[[nodiscard]] bool check_constraints(const Node& node, Diagnostics& diagnostics);

}  // namespace satdl
