// What a run tells its jobs, so that they read the DAG and make the plan as it did.
#pragma once

#include "commands/run/run_options.h"
#include "commands/shared/session.h"
#include "commands/shared/signals.h"
#include "pipeline/executors/jobs/make_job_executor.h"

namespace satdl {

// JobRun::build of this program, in hexadecimal.
[[nodiscard]] std::string build_of_this_program();

// `run`: its id. Precondition: the arguments that are parameters have been taken out of the targets.
[[nodiscard]] JobRun job_run_of(const RunOptions& options, const Session& session, const std::string& run);

// What executes the nodes of the plan that jobs are to execute; null: there are none. Throws as make_job_executor().
[[nodiscard]] std::unique_ptr<JobExecutor> jobs_of_run(const RunOptions& options, Session& session, const std::string& run, const Dag& dag,
                                                       const Plan& plan, KeyClaims& claims, Clock& clock, const StopSignals& signals,
                                                       Observer& warnings);

}  // namespace satdl
