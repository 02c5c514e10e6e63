// What a stage's map in a DAG file says of its supervision.
#pragma once

#include "pipeline/catalog/execution_policy.h"
#include "pipeline/dag_file/interpolation.h"

namespace satdl {

// Mistakes go to `diagnostics`, with their places; what they stand for is then left at its default.
[[nodiscard]] ExecutionPolicy read_execution_policy(const ConfigValue& body, const LocalNames& locals, Interpolation& interpolation,
                                           Diagnostics& diagnostics);

}  // namespace satdl
