// What follows from how a job ended: the table of docs/cluster.md. It is about one stage of the job, knows no batch system, and only
// decides.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "pipeline/executors/jobs/job_queue.h"

namespace satdl {

// Why a stage that has no artifact needs another job, or gets none.
enum class JobFailure {
    Stage,           // the stage failed, or its process crashed
    Memory,
    Time,            // the job's time was up, and no checkpoint is farther than before
    Continued,       // the job was stopped after a checkpoint
    Infrastructure,  // its machine failed, it was preempted, or it vanished
    Cancelled,       // by somebody, not by this run
    Invisible,       // it ended well, but its artifact is not to be seen
    Unblamed,        // the job ended because of another one of its stages
};
[[nodiscard]] const char* text_of(JobFailure failure);  // "out of memory"

// What a stage's jobs have come to so far.
struct JobHistory {
    int jobs = 0;  // that were submitted
    int memory = 0, time = 0, infrastructure = 0, invisible = 0, unblamed = 0;
};

struct RetryLimits {
    int memory = 2;  // each time with 1.5 times as much
    int time = 1;    // with twice as much
    int infrastructure = 5;
    int invisible = 1;
    int unblamed = 20;
    double memory_factor = 1.5, time_factor = 2;
    double first_delay_seconds = 5, longest_delay_seconds = 300;  // after a failure of the infrastructure: doubled each time
};

struct NextJob {
    JobResources resources;
    double delay_seconds = 0;
};
struct NoMoreJobs {
    std::string because;  // "it ran out of memory 3 times, the last time with 18 GB"
    std::string hint;
};
// Counts the failure in `history`. `peak_bytes`: of the stage, 0 if not known.
[[nodiscard]] std::variant<NextJob, NoMoreJobs> next_job(JobFailure failure, const JobResources& resources, std::uint64_t peak_bytes,
                                                         JobHistory& history, const RetryLimits& limits = {});

// Doubles from `first` on, up to `longest`; `tries` from 0.
[[nodiscard]] double back_off_seconds(int tries, double first, double longest);

}  // namespace satdl
