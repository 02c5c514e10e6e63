// The executor of a run whose stages are jobs.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "pipeline/executors/jobs/job_files.h"
#include "pipeline/executors/jobs/job_queue.h"
#include "pipeline/run/clock.h"
#include "pipeline/run/job_executor.h"
#include "pipeline/store/checkpoint_store.h"
#include "pipeline/store/key_claims.h"
#include "pipeline/store/store.h"

namespace satdl {

struct JobExecutorSetup {
    JobRun run;                           // `run`: this run's id, `queue`: the type of its batch system
    std::filesystem::path program;        // satdl: a job runs `satdl exec-batch FOLDER`
    std::function<bool(const Node&)> takes;
    std::function<void(const std::string&)> tell;  // what a user should know, in one line
    // Borrowed, and used as long as the executor lives.
    FileSystem& files;
    Store& store;
    CheckpointStore* checkpoints;  // may be null
    KeyClaims& claims;
    Clock& clock;
    const std::atomic<bool>& stop;
};

// Takes over the jobs that a dead controller of this DAG left on this store, if there are any. Throws Error{Usage} for a batch system that
// does not answer or that satdl does not know, FileError.
[[nodiscard]] std::unique_ptr<JobExecutor> make_job_executor(JobExecutorSetup setup);

// The queue of a run by its type: "slurm". `jobs_folder`: of the run. Throws Error{Usage} as make_job_executor() does.
[[nodiscard]] std::unique_ptr<JobQueue> make_job_queue(const std::string& type, const std::string& run,
                                                       const std::filesystem::path& jobs_folder, FileSystem& files, Clock& clock);

}  // namespace satdl
