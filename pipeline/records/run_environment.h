// What a run's record has of where and how it ran, beside host and parameters: the members of the event `environment`
// (docs/json.md).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "pipeline/core/json.h"
#include "pipeline/dag/dag.h"
#include "pipeline/plan/machine.h"

namespace satdl {

// command, folder, os, cpu, memory_bytes, gpus, libraries, variables, ignored_variables. `built_with`: of satdl itself,
// "oneTBB 2021.8.0, yaml-cpp 0.7.0"; those of the DAG's stages are added. `ignored`: variables that were removed from the
// environment.
[[nodiscard]] Json run_environment(const Dag& dag, const Machine& machine, const std::string& built_with,
                                   const std::vector<std::string>& ignored);

}  // namespace satdl
