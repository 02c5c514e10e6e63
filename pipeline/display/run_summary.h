// Tables at the end: the summary of a run; any table as JSON.
#pragma once

#include <string>

#include "pipeline/run/run_result.h"

namespace satdl {

// Stage, outcome, seconds, because, in the plan's order. Beyond kReusedRows reused stages a note counts them.
inline constexpr std::size_t kReusedRows = 40;
[[nodiscard]] Table summary_table(const Dag& dag, const RunResult& result);
// "full: 15 stages: 9 ran, 6 reused, in 12.3 s". `seconds`: of all that the user waited for, planning included.
[[nodiscard]] std::string summary_line(const Dag& dag, const RunResult& result, double seconds);


}  // namespace satdl
