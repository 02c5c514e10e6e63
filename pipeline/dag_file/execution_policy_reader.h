// The execution policy in a stage's map in a DAG file.
#pragma once

#include "pipeline/catalog/execution_policy.h"
#include "pipeline/dag_file/interpolation.h"

namespace satdl {

// Mistakes are added to `diagnostics`; a key with a mistake keeps its default.
[[nodiscard]] ExecutionPolicy read_execution_policy(const ConfigValue& body, const LocalNames& locals, Interpolation& interpolation,
                                           Diagnostics& diagnostics);

}  // namespace satdl
