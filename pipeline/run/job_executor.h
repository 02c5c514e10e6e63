// Stages that jobs of a batch system execute, elsewhere: the seam between a run and its jobs.
//
// A job computes into the same store as the run. What a stage made is an artifact under its key, and nothing of it passes through here:
// that the artifact is there is the proof that the stage ended well, whatever anybody says. So a job that runs twice does no harm,
// and one that vanished is noticed by what is missing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/core/digest.h"
#include "pipeline/dag/dag.h"
#include "pipeline/dag/job_settings.h"
#include "pipeline/stage.h"

namespace satdl {

// A stage to be executed by a job. All its inputs are in the store.
struct JobStage {
    NodeId node = 0;
    std::string name;
    Digest key;
    JobResources resources;
    std::optional<double> expected_seconds;
    bool forced = false;  // to be computed anew, though the store may have its artifact: then the job's word counts that it ran
};

// How a stage ended, as far as its jobs know. The artifact decides: with it, the stage has run.
struct JobOutcome {
    enum class State { Ran, Failed, Stopped };
    State state = State::Failed;
    std::string error{};       // of Failed: what the stage said, or what became of its job; with the tail of the job's log
    bool is_config = false;  // of Failed: the batch system will never take such a job: the user's mistake, exit code 2
    int attempts = 1;        // jobs that were given to it
    double queued_seconds = 0, seconds = 0;
    std::uint64_t peak_bytes = 0;  // 0: not known
    std::string where{};             // "job 4711 on n2"
};

// Who hears what the jobs tell, each call from within JobExecutor::poll().
class JobListener {
public:
    virtual ~JobListener() = default;
    virtual void queued(NodeId node, const std::string& job, const std::string& reason) = 0;  // again if the reason changes
    virtual void started(NodeId node, const std::string& where) = 0;                          // again at each attempt
    virtual void progress(NodeId node, const Progress& progress) = 0;
    virtual void log(NodeId node, LogLevel level, const std::string& text) = 0;
    virtual void ended(NodeId node, JobOutcome outcome) = 0;  // once; nothing of that node follows
};

// Called by one thread at a time. Nothing throws because of what a job or the batch system does: that becomes an outcome.
class JobExecutor {
public:
    virtual ~JobExecutor() = default;
    // Whether a job executes this node; all else is executed in this process, as ever. From any thread at any time.
    [[nodiscard]] virtual bool takes(const Node& node) const = 0;
    // Returns at once: the stages are grouped into jobs and submitted by poll().
    virtual void submit(std::vector<JobStage> stages) = 0;
    // Submits what waits, asks the batch system if it is time to, and tells what is new.
    virtual void poll(JobListener& listener) = 0;
    enum class Stop {
        Cancel,  // what waits is cancelled by the next poll(), what runs is asked to write a checkpoint and stop
        Detach,  // the jobs go on; poll() is not called any more
    };
    virtual void stop(Stop how) = 0;
};

}  // namespace satdl
