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

// The summary that sweep_json() made this event of, for its tables: failures are without their node. Throws what nlohmann-json throws
// if the event is something else.
[[nodiscard]] SweepSummary sweep_summary_of(const Json& event);

}  // namespace satdl
