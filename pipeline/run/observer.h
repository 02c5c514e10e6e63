// Observers of a run: a terminal, plain lines, JSON lines, the run's record.
//
// The scheduler makes its calls one at a time, but from any thread (SerializedObserver); an observer must not block for long.
// stage_finished comes when the node's outcome is written, which may be after its consumers have started. It comes once per node,
// with one exception: a reused artifact that turns out damaged when it is read is rebuilt, and finishes a second time.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pipeline/plan/plan.h"
#include "pipeline/run/run_result.h"

namespace satdl {

struct Sweep;
struct SweepSummary;
struct Workload;

class Observer {
public:
    virtual ~Observer() = default;
    virtual void run_started(const Dag&, const Plan&) {}
    // A job is to execute it and waits: `job`, "job 4711", and why, "Resources". Again if the reason changes, and for each further job.
    virtual void stage_queued(const Dag&, const PlannedNode&, const std::string& job, const std::string& reason) { (void)job, (void)reason; }
    // Of a node that a job executes (PlannedNode::where): again for each further job.
    virtual void stage_started(const Dag&, const PlannedNode&) {}
    // It does not start yet: `holder`, "run 20261124T... on host lab3", is computing the same. stage_started or stage_finished follows.
    virtual void stage_waiting(const Dag&, const PlannedNode&, const std::string& holder) { (void)holder; }
    virtual void stage_progress(const Dag&, NodeId, const Progress&) {}
    virtual void stage_log(const Dag&, NodeId, LogLevel, const std::string&) {}
    virtual void stage_finished(const Dag&, const NodeResult&) {}
    // Several, whose outcomes were written together.
    virtual void stages_finished(const Dag& dag, const std::vector<NodeResult>& results) {
        for (const NodeResult& result : results) stage_finished(dag, result);
    }
    virtual void run_finished(const Dag&, const RunResult&) {}
    // Of the run as a whole, on one line.
    virtual void warning(const std::string& text) { (void)text; }
    // Of a sweep, whose DAG is the run's: after run_started, and after run_finished.
    virtual void sweep_started(const Sweep&, const Workload&) {}
    virtual void sweep_finished(const Sweep&, const SweepSummary&, const RunResult&) {}
};

// Calls several, in order; each is called even if one before it throws, then the first exception is rethrown.
[[nodiscard]] std::unique_ptr<Observer> broadcast(std::vector<Observer*> observers);

}  // namespace satdl
