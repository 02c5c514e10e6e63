// How much a sweep has to do, counted before it starts.
#pragma once

#include <cstddef>
#include <optional>

#include "pipeline/plan/plan.h"
#include "pipeline/run/admission.h"
#include "pipeline/sweep/sweep.h"

namespace satdl {

struct Workload {
    std::size_t points = 0;
    std::size_t stages = 0;  // of the plan; of these:
    std::size_t shared = 0, reused = 0, to_run = 0, may_run = 0;  // shared by all points; may_run: decided during the run
    std::size_t points_at_a_time = 0;                             // 0: as many as the cores allow
    int cores = 1;
    std::optional<double> expected_seconds;  // nullopt: nothing to run, or a stage without history
};
[[nodiscard]] Workload workload_of(const Sweep& sweep, const Plan& plan, const Limits& limits, int cores);

}  // namespace satdl
