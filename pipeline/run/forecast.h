// How long a run will take: its schedule simulated with the expected seconds of each stage, under the admission
// that the run itself obeys (cores and threads, jobs, cohorts; longest remaining path first).
//
// Neither the shortest possible schedule nor a bound: the one that the run would have if each stage took as long as
// expected. All that may run counts as running, and memory as sufficient.
#pragma once

#include <optional>

#include "pipeline/run/plan_graph.h"

namespace satdl {

// `cohorts`: by NodeId. nullopt if a stage that may run has no history.
[[nodiscard]] std::optional<double> forecast_seconds(const Dag& dag, const Plan& plan, const Limits& limits, int cores,
                                                     const Cohorts& cohorts = {});

}  // namespace satdl
