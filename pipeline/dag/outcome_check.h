// What a stage reads and what it returned, against its description, when the arrays are there.
#pragma once

#include <optional>
#include <string>

#include "pipeline/dag/dag.h"
#include "pipeline/dag/port_type.h"

namespace satdl {

// What the node will return for these inputs. Throws Error{Usage}, with the place of the edge, if an input is not as the node's
// description declares it, alone or beside the others.
[[nodiscard]] NodeTypes check_inputs(const Dag& dag, NodeId node, const StageInputs& inputs);

// What a stage returned, against its description and `expected`: a message about the first contradiction, or nullopt.
[[nodiscard]] std::optional<std::string> contradiction(const StageDescription& description, const NodeTypes& expected,
                                                       const StageOutput& outcome);

}  // namespace satdl
