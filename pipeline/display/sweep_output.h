// A sweep's summary as a table and as CSV.
#pragma once

#include <string>

#include "pipeline/core/table.h"
#include "pipeline/sweep/sweep_summary.h"

namespace satdl {

[[nodiscard]] Table to_table(const SweepSummary& report);  // rounded, for people: one row per setting
[[nodiscard]] std::size_t label_columns(const SweepSummary& report);  // the first columns of that table, which say what a row is
// Unrounded: one row per point; with repetitions also mean, sd and n of each metric over its setting.
[[nodiscard]] std::string to_csv(const SweepSummary& report);

// Of an axis that is SweepAxis::unused: "seed reaches no stage of this run: its 5 values give the same results".
[[nodiscard]] std::string unused_text(const SweepAxis& axis);

}  // namespace satdl
