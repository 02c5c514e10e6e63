// A batch system, as far as satdl needs one: jobs go in, their states come out, and they can be cancelled.
//
// It knows no stage, no DAG and no store. What its words mean is decided here, by whoever implements it (slurm/): each ending has a class,
// and what follows from a class is decided by jobs/, the same for every batch system.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "pipeline/run/job_executor.h"

namespace satdl {

// A job to be submitted. Several with the same resources may become one array.
struct JobRequest {
    std::string name;                  // unique within the run, "b12.a1": batch and attempt; the batch system can find it by that
    std::vector<std::string> command;  // program and arguments, run in `folder`
    std::filesystem::path folder;      // an existing one, on the shared file system
    std::filesystem::path log;         // stdout and stderr, appended to
    JobResources resources;
    std::vector<std::string> excluded_nodes;
};

// What the batch system calls a job: "4711", "4711_3".
using JobId = std::string;

struct SubmitFailure {
    enum class Class {
        Throttled,  // try again later: it is busy, or a limit on the number of jobs is reached
        Config,     // it will never take such a job: account, partition, QOS, or more than any machine has
    };
    Class failure = Class::Throttled;
    std::string text;  // the batch system's own words
};
using SubmitResult = std::variant<JobId, SubmitFailure>;

enum class JobEnd {
    Exited,          // its program ended by itself, with `exit_code`
    Memory,          // the batch system says that it used too much memory
    TimeLimit,
    Preempted,       // and is not going to be restarted by the batch system
    Infrastructure,  // its machine failed, or it could not be started
    Cancelled,       // by somebody
};

struct JobStatus {
    enum class State {
        Pending,  // also what the batch system itself is going to restart
        Running,
        Ended,
        Unknown,  // the batch system does not know it any more, in an answer that was complete
    };
    State state = State::Pending;
    std::string reason{};  // of Pending: why it waits, in the batch system's words ("Resources", "AssocGrpCpuLimit")
    bool stuck = false;  // of Pending: it waits for something that will not come by itself (held, an impossible constraint)
    std::string machine{}; // where it runs or ran; "" if not known
    JobEnd end = JobEnd::Exited;  // of Ended
    int exit_code = 0;            // of Ended, Exited; 128 + a signal's number
};

struct JobLimits {
    std::size_t jobs_at_once = 1000;  // most that may wait and run
    std::size_t array = 1000;         // most requests in one submit()
};

// Called by one thread at a time. A call takes at most a minute.
class JobQueue {
public:
    virtual ~JobQueue() = default;
    [[nodiscard]] virtual std::string name() const = 0;  // "slurm"
    [[nodiscard]] virtual JobLimits limits() = 0;
    // Requests with equal resources, at most limits().array of them; what became of each, in their order. After a lost answer it looks
    // whether the jobs are there before anybody submits them twice.
    [[nodiscard]] virtual std::vector<SubmitResult> submit(std::span<const JobRequest> requests) = 0;
    // All of this run's jobs, by the requests' names, of this process or of one before it; nullopt: it did not answer.
    [[nodiscard]] virtual std::optional<std::map<std::string, std::pair<JobId, JobStatus>>> poll() = 0;
    // Of jobs that poll() does not know any more: what accounting says, if there is one.
    [[nodiscard]] virtual std::map<JobId, JobStatus> look_up(std::span<const JobId> jobs) = 0;
    // Best effort; ids that are unknown are no error.
    virtual void cancel(std::span<const JobId> jobs) = 0;
    virtual void cancel_all() = 0;                          // of this run
    virtual void ask_to_stop(std::span<const JobId> jobs) = 0;  // SIGTERM to the job's program: it writes a checkpoint and ends
};

}  // namespace satdl
