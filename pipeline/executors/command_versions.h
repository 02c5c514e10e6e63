// What the commands under `versions` of a DAG's command stages print: part of the stages' keys. They run when a run is planned; whatever
// only looks at a DAG runs nothing, and takes what the last run saw.
#pragma once

#include "pipeline/dag/dag.h"
#include "pipeline/plan/machine.h"
#include "pipeline/plan/selection.h"

namespace satdl {

inline constexpr double kVersionSeconds = 60;  // until a command is stopped

// For Machine::versions: each command once, in the project's folder and a command stage's environment, under the same supervision as a
// stage's program: nothing of it is left when this returns, nor when this process is killed. Throws Error{Usage} at the stage whose
// command cannot be run, fails, takes too long, or prints nothing or too much.
[[nodiscard]] std::map<std::pair<std::filesystem::path, std::string>, std::string> run_version_commands(
    const Dag& dag, const Request& request, double seconds = kVersionSeconds);

}  // namespace satdl
