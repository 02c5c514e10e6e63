// The nodes of a run that jobs execute: submitted once all that they read is in the store, followed until they end.
//
// Such a node occupies no core and no memory of this machine, and is not claimed here: its job claims the key, as any run on the store does.
// The flow graph and its serial twin both use this.
#pragma once

#include <cstddef>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "pipeline/run/job_executor.h"
#include "pipeline/run/node_runner.h"
#include "pipeline/run/run_context.h"

namespace satdl {

class JobRunner final : private JobListener {
public:
    // Precondition: the run has a JobExecutor.
    JobRunner(NodeRunner& runner, const RunContext& run) : runner_(runner), run_(run) {}

    // A node for which settle() said Job. From any thread.
    void add(std::size_t position);
    [[nodiscard]] bool has_nodes();
    // Submits what can be submitted, and returns the nodes that have ended since the last call. Called by one thread at a time; never waits
    // for a job.
    [[nodiscard]] std::vector<std::size_t> look();

private:
    void submit_ready();
    void stop_if_asked();
    void fail_all(const std::string& why);

    void queued(NodeId node, const std::string& job, const std::string& reason) override;
    void started(NodeId node, const std::string& where) override;
    void progress(NodeId node, const Progress& progress) override;
    void log(NodeId node, LogLevel level, const std::string& text) override;
    void ended(NodeId node, JobOutcome outcome) override;

    NodeRunner& runner_;
    const RunContext& run_;
    // Used by look() alone:
    std::unordered_map<NodeId, std::size_t> submitted_;  // positions
    std::vector<std::size_t> ended_;
    bool stopped_ = false;

    std::mutex mutex_;
    std::vector<std::size_t> waiting_;  // guarded by mutex_: added, not submitted
    std::size_t nodes_ = 0;             // guarded by mutex_: added, not returned by look()
};

}  // namespace satdl
