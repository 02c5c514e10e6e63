// What a run tells its jobs, so that they read the DAG and make the plan as it did.
#pragma once

#include "commands/run/run_options.h"
#include "commands/shared/session.h"
#include "pipeline/executors/jobs/job_files.h"

namespace satdl {

// JobRun::build of this program, in hexadecimal.
[[nodiscard]] std::string build_of_this_program();

// `run`: its id. Precondition: the arguments that are parameters have been taken out of the targets.
[[nodiscard]] JobRun job_run_of(const RunOptions& options, const Session& session, const std::string& run);

}  // namespace satdl
