// What flows along each edge, inferred from the descriptions before anything runs: the rules of each node's description against
// the types that arrive at its inputs. A mismatch is reported at the place of the edge. What the descriptions leave open is checked
// when the node runs.
#pragma once

#include <vector>

#include "pipeline/dag/dag.h"
#include "pipeline/dag/port_type.h"

namespace satdl {

// For Dag::types, whatever stands there. Adds a diagnostic for each edge whose types cannot fit, and each network that does not fit
// its input.
[[nodiscard]] std::vector<NodeTypes> infer_types(const Dag& dag, Diagnostics& diagnostics);

}  // namespace satdl
