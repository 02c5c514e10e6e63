// A DAG reduced for a smoke run: do all stages fit together? Every stage runs as usual, but on a few samples and for one step,
// because the parameters that make it slow are limited to the bounds in their descriptions (ParamDescription::smoke_max).
//
// Rejected: a flag in the context of a running stage (every source and every training would have to check it, and the plan would not
// know the resulting shapes); truncating the outputs of sources (not everything that is read is samples).
#pragma once

#include "pipeline/dag/dag.h"

namespace satdl {

// Throws Error{Usage} if what is left does not fit together.
[[nodiscard]] Dag for_smoke(Dag dag);

}  // namespace satdl
