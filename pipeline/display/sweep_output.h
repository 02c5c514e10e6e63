// A sweep's report as a table, as CSV, as JSON.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pipeline/display/sweep_summary.h"

namespace satdl {

[[nodiscard]] Table to_table(const SweepSummary& report);  // rounded, for people: one row a setting
// Every digit: one row a point; beside each metric its mean, sd and n over the setting, where an axis repeats.
[[nodiscard]] std::string to_csv(const SweepSummary& report);
// docs/json.md, events `sweep_started` and `sweep`: objects without `event` and `wall_time`.
[[nodiscard]] std::string sweep_started_json(const Sweep& sweep);
[[nodiscard]] std::string to_json(const SweepSummary& report, const Sweep& sweep,
                                  const std::vector<std::optional<NodeStatus>>& outcomes);

}  // namespace satdl
