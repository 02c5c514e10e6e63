// The summary at the end of a run.
#pragma once

#include <string>

#include "pipeline/remote/remote_use.h"
#include "pipeline/run/run_result.h"

namespace satdl {

// Stage, status, seconds, reason, in the plan's order. Of the reused stages only the first kReusedRows, then a note with their number.
inline constexpr std::size_t kReusedRows = 40;
[[nodiscard]] Table summary_table(const Dag& dag, const RunResult& result);
// "full: 15 stages: 9 ran, 6 reused, in 12.3 s". `seconds`: the time that the user waited, planning included.
[[nodiscard]] std::string summary_line(const Dag& dag, const RunResult& result, double seconds);

// "remote /shared/satdl: 12 found, 3 downloaded (4.5 MB), 2 uploaded (1.2 MB); lost 4 look-ups, 1 upload: HTTP 503"
[[nodiscard]] std::string remote_line(const RemoteUse& use);

}  // namespace satdl
