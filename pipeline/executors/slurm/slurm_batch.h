// What is submitted: the options of sbatch, and the scripts that its jobs run.
//
// The program of a job takes the place of the script (`exec`), so that Slurm's signals reach it. An array has one small script that
// reads its task from a file on the shared file system: a thousand commands in the script would be sent to a node a thousand times.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pipeline/executors/jobs/job_queue.h"

namespace satdl {

// How long before the end of its time a job is sent SIGUSR1, so that it writes a checkpoint. Slurm counts time limits in minutes, and
// may send it a minute earlier.
[[nodiscard]] int warning_seconds(std::optional<double> limit_seconds);

// As Slurm writes it, minutes:seconds, rounded up.
[[nodiscard]] std::string slurm_time(double seconds);

struct SlurmBatch {
    std::vector<std::string> argv;  // of sbatch; the script is its last argument
    std::string comment;            // by which the job is found again: the request's name, or `stem` of an array
    std::filesystem::path script, tasks;    // `tasks`: of an array, "" otherwise; no job reads `script` itself, Slurm has a copy
    std::string script_text, tasks_text;
    // Of an array: a folder in which link i must lead to the log of request i. Slurm has one name for the logs of all tasks, and tells
    // in them why it ended one.
    std::filesystem::path logs;
};

// Of one request, or of several with equal resources as an array whose task i is request i. The files are in `folder` and their names begin
// with `stem`.
[[nodiscard]] SlurmBatch slurm_batch(const std::string& job_name, std::span<const JobRequest> requests, const std::filesystem::path& folder,
                                     const std::string& stem);

[[nodiscard]] std::filesystem::path slurm_tasks_file(const std::filesystem::path& folder, const std::string& stem);
// The names of an array's tasks, in their order.
[[nodiscard]] std::vector<std::string> parse_slurm_tasks(std::string_view text);

}  // namespace satdl
