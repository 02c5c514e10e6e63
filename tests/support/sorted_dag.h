// DAGs whose nodes were added in any order.
#pragma once

#include <utility>
#include <vector>

#include "pipeline/dag/dag.h"

namespace satdl {

// Its nodes in topological order, edges renumbered. Throws Error{Usage} that shows every cycle.
inline Dag sorted(Dag dag) {
    Diagnostics diagnostics;
    const std::vector<NodeId> order = topological_order(dag, diagnostics);
    diagnostics.throw_if_any();
    return subgraph(std::move(dag), order);
}

}  // namespace satdl
