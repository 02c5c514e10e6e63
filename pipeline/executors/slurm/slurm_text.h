// What Slurm's commands print, read: text, never JSON, whose shape changes between versions and which is a hundred times as long.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/executors/slurm/slurm_meaning.h"

namespace satdl {

struct SlurmConfig {
    std::size_t max_array_size = 1001;  // one more than the highest index in an array; 0: no arrays
    std::size_t max_job_count = 10000;  // of all users, with those that have ended less than MinJobAge ago
    double min_job_age_seconds = 300;   // how long squeue shows a job after its end
    bool accounting = false;            // sacct has answers
    std::string version;                // "22.05.8"
};

// Of `scontrol show config`. What it does not say is as above.
[[nodiscard]] SlurmConfig parse_slurm_config(std::string_view text);

struct SlurmJobRow {
    JobId id;
    std::string comment;  // of squeue
    SlurmJobState job;
    double ran_seconds = 0;  // of sacct
};

// What squeue -O and sacct -o are to print, for the next two.
inline constexpr const char* kSqueueFormat = "JobArrayID:|,State:|,exit_code:|,Comment:|,NodeList:|,Reason:|";
inline constexpr const char* kSacctFormat = "JobID,State,ExitCode,NodeList,ElapsedRaw";

// One row a job; an array that is shown in one ("4711_[3-9,12%2]") becomes one a task. Lines of another form, which a site's wrapper
// may print, are skipped.
[[nodiscard]] std::vector<SlurmJobRow> parse_squeue(std::string_view text);
// In its order: of a job that Slurm has queued again there are several.
[[nodiscard]] std::vector<SlurmJobRow> parse_sacct(std::string_view text);

// "4711", "4711_3"
[[nodiscard]] bool is_slurm_id(std::string_view text);
// What `sbatch --parsable` printed, among what a site's plugins may print: "4711", "4711;cluster".
[[nodiscard]] std::optional<JobId> parse_sbatch(std::string_view text);

}  // namespace satdl
