// Who controls the jobs of a run: the process of `satdl run` that submits and follows them, or the one that took them over.
//
// The jobs of a run have one controller at most: it holds a claim in the store, as whoever computes a key does (store/key_claims.h). So the
// claim is free when the controller dies, however it dies; one on another host counts as dead once its claim has stood still for a minute.
// A new run of the same DAG on the same store takes over jobs that have no controller: it goes on in the folder of the run that submitted
// them, under that run's name in the batch system, and finds their stages by their keys.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "pipeline/executors/jobs/job_files.h"
#include "pipeline/executors/jobs/job_queue.h"
#include "pipeline/os/file_system.h"
#include "pipeline/store/key_claims.h"

namespace satdl {

// The runs on this store that may have jobs, the newest first. Throws FileError.
[[nodiscard]] std::vector<std::string> runs_with_jobs(const std::filesystem::path& store_folder, FileSystem& files);
// The one of them that begins so, or ("") the newest; a run that took jobs over stands for the one that submitted them. Throws Error{Usage}
// if there is none, or several, which it names.
[[nodiscard]] std::string find_run_with_jobs(const std::filesystem::path& store_folder, const std::string& prefix, FileSystem& files);
// Whether this run may have jobs. Throws nothing.
[[nodiscard]] bool has_open_jobs(const std::filesystem::path& store_folder, const std::string& run);
// What the run was. Throws Error{Store}.
[[nodiscard]] JobRun open_job_run(const std::filesystem::path& store_folder, const std::string& run, FileSystem& files);

[[nodiscard]] std::variant<std::unique_ptr<Claim>, ClaimHolder> claim_controller(KeyClaims& claims, const std::string& run);
// Whether a controller of the run lives, as far as a flock reaches; takes nothing.
[[nodiscard]] bool has_controller(const std::filesystem::path& store_folder, const std::string& run);

// The run whose jobs this process controls from now on.
struct ControlledJobs {
    std::string run;               // whose folder and name they have
    std::unique_ptr<Claim> lease;
    bool taken_over = false;
};
// Jobs without a controller, of the DAG of `run` and its kind of queue; else those of the run itself, whose folder is made. Waits for a
// minute if their controller is on another host and may be dead; `tell` then says so, `stop` ends that. Throws FileError.
[[nodiscard]] ControlledJobs take_control(const JobRun& run, const std::filesystem::path& store_folder, KeyClaims& claims,
                                          FileSystem& files, const std::function<void(const std::string&)>& tell,
                                          const std::atomic<bool>& stop);

// A file in the folder of jobs by which `satdl cancel` asks their controller to cancel them.
inline constexpr const char* kCancelFile = "cancel";

struct Cancelled {
    std::size_t waiting = 0;  // that were cancelled
    std::size_t running = 0;  // that were asked to write a checkpoint and stop
    bool answered = true;     // false: the batch system does not say which jobs there are; all of the run's were cancelled
};
// Cancels the jobs of a run without a controller, and closes its journal. Precondition: this process has the run's lease.
[[nodiscard]] Cancelled cancel_jobs(const std::filesystem::path& jobs_folder, JobQueue& queue, FileSystem& files);

}  // namespace satdl
