// What flows along each edge, inferred from the descriptions before anything runs: the rules of each node's description against
// the types that arrive at its inputs. A mismatch is reported at the place of the edge. What is open then (what a file holds) is checked by
// the same rules when the node runs.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "pipeline/dag/dag.h"
#include "pipeline/dag/port_type.h"

namespace satdl {

// For Dag::types, whatever stands there. Adds a diagnostic for each edge whose types cannot fit, and each network that does not fit
// its input.
[[nodiscard]] std::vector<NodeTypes> infer_types(const Dag& dag, Diagnostics& diagnostics);

// The same for one node that is to run: `arriving`, by its input ports, is what it really reads.
[[nodiscard]] NodeTypes infer_types(const Dag& dag, NodeId node, const std::map<std::string, PortType>& arriving, Diagnostics& diagnostics);

}  // namespace satdl
