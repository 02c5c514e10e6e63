// A DAG cut down for a smoke run: does it all fit together? Every stage runs as it would, on a few samples and for one step,
// because the parameters that make it long are brought within the bounds that their descriptions name (ParamDescription).
//
// A flag in the context of a running stage was rejected: every source and training would have to look at it, and a plan could
// not tell the shapes that follow from it. Cutting what sources give was, too: not everything that is read is samples.
#pragma once

#include "pipeline/dag/dag.h"

namespace satdl {

// Throws Error{Usage} if what is left does not fit together.
[[nodiscard]] Dag for_smoke(Dag dag);

}  // namespace satdl
