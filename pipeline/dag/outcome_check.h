// Checks what a stage returned against its description.
#pragma once

#include <optional>
#include <string>

#include "pipeline/dag/port_type.h"

namespace satdl {

// What a stage returned, against its description and `expected`: a message about the first contradiction, or nullopt.
[[nodiscard]] std::optional<std::string> contradiction(const StageDescription& description, const NodeTypes& expected,
                                                       const StageOutput& outcome);

}  // namespace satdl
