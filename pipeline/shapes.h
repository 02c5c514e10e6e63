// What flows along each edge (element type, shape, architecture of models), inferred from the descriptions before anything
// runs; mismatches are told at the edge's place. What the descriptions cannot tell stays open and is checked when it runs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pipeline/dag.h"
#include "pipeline/node_types.h"

namespace satdl {

// By node. Adds a diagnostic for each edge whose types cannot fit, and each network that does not fit its input.
[[nodiscard]] std::vector<NodeTypes> infer_types(const Dag& dag, Diagnostics& diagnostics);

// Forward multiply-adds of one sample through the network that the node trains or applies; 0 where there is none or it is
// unknown.
[[nodiscard]] std::int64_t network_cost(const Dag& dag, const std::vector<NodeTypes>& types, NodeId node);

// What a stage returned, against its description and `expected`: the first contradiction in words, or nothing.
[[nodiscard]] std::optional<std::string> contradiction(const StageDescription& description, const NodeTypes& expected,
                                                       const Outcome& outcome);

}  // namespace satdl
