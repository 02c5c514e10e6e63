// How long a run will take: its schedule played through with the seconds that each stage is expected to take, under the admission
// that the run itself obeys (cores and threads, jobs, cohorts; longest remaining path first).
//
// Not the shortest schedule that there could be, nor a bound: the one that the run would have if each stage took what it is
// expected to. All that may run counts as running, and memory as enough.
#pragma once

#include <optional>

#include "pipeline/run/plan_graph.h"

namespace satdl {

// `cohorts`: by NodeId. Nothing where no history tells the seconds of a stage that may run.
[[nodiscard]] std::optional<double> forecast_seconds(const Dag& dag, const Plan& plan, const Limits& limits, int cores,
                                                     const Cohorts& cohorts = {});

}  // namespace satdl
