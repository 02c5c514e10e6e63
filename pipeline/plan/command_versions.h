// What the commands under `versions` of a DAG's command stages print: part of the stages' keys. They run when a run is planned; whatever
// only looks at a DAG runs nothing, and takes what the last run saw.
#pragma once

#include "pipeline/dag/dag.h"
#include "pipeline/plan/machine.h"
#include "pipeline/plan/selection.h"

namespace satdl {

// For Machine::versions: each command once, in the project's folder and a command stage's environment. Throws Error{Usage} at the stage
// whose command cannot be run, fails, or prints nothing or too much.
[[nodiscard]] std::map<std::pair<std::filesystem::path, std::string>, std::string> run_version_commands(const Dag& dag,
                                                                                                        const Request& request);

}  // namespace satdl
