// The two events of a sweep as JSON (docs/json.md, "Sweeps"), without the members that every event has: json_events.h adds those.
#pragma once

#include "pipeline/core/json.h"
#include "pipeline/run/run_result.h"
#include "pipeline/run/workload.h"
#include "pipeline/sweep/sweep_summary.h"

namespace satdl {

// `stages` ... `expected_seconds`, `axes`, `points`.
[[nodiscard]] Json sweep_started_json(const Sweep& sweep, const Workload& workload);
// `axes`, `metrics` ... `rows`.
[[nodiscard]] Json sweep_json(const Sweep& sweep, const SweepSummary& summary, const RunResult& result);

}  // namespace satdl
