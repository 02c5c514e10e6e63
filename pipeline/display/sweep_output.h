// A sweep's summary as a table and as CSV.
#pragma once

#include <string>

#include "pipeline/core/table.h"
#include "pipeline/sweep/sweep_summary.h"

namespace satdl {

[[nodiscard]] Table to_table(const SweepSummary& report);  // rounded, for people: one row a setting
// Every digit: one row a point; beside each metric its mean, sd and n over the setting, where an axis repeats.
[[nodiscard]] std::string to_csv(const SweepSummary& report);

}  // namespace satdl
