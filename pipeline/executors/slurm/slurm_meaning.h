// What Slurm's words mean: states of jobs, reasons why they wait, refusals of sbatch. From Slurm 22.05 to 25.11.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "pipeline/executors/jobs/job_queue.h"

namespace satdl {

struct SlurmJobState {
    std::string word;    // "RUNNING"; of sacct also "CANCELLED by 1000"
    std::string reason;  // why it waits: "Resources"
    std::string nodes;   // "n2"; "" or "(null)" before it has any
    int exit_code = 0;
    int signal = 0;  // that ended its program; 0: none
    bool never_started = false;  // of FAILED: the node could not start its program
};

// A word that is new to us is never an end: what has a node runs, what has none waits, and the word is the reason.
[[nodiscard]] JobStatus status_of(const SlurmJobState& job);

// A job that ends so is queued again by Slurm itself if it may be, some moments later and under the same id.
[[nodiscard]] bool may_be_requeued(std::string_view word);

// Whether a pending job waits for what only a person can change. What is used up by others (AssocGrpCpuLimit) or comes back after
// maintenance (ReqNodeNotAvail) comes by itself.
[[nodiscard]] bool waits_in_vain(std::string_view reason);

enum class SlurmRefusal {
    Lost,       // sbatch does not know whether the job was accepted
    Busy,       // certainly not accepted; later perhaps
    Limit,      // some limit of an account or a QOS: perhaps on the number of jobs, perhaps on their size
    Config,     // never
};
[[nodiscard]] SlurmRefusal refusal_of(std::string_view words);

}  // namespace satdl
