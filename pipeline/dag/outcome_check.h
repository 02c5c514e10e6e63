// What a stage returned, against what its description promises.
#pragma once

#include <optional>
#include <string>

#include "pipeline/dag/port_type.h"

namespace satdl {

// What a stage returned, against its description and `expected`: the first contradiction in words, or nothing.
[[nodiscard]] std::optional<std::string> contradiction(const StageDescription& description, const NodeTypes& expected,
                                                       const StageOutput& outcome);

}  // namespace satdl
