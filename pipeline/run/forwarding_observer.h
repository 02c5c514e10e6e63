// The one place that forwards every call of an Observer. Observers that pass calls on derive from it, so that none of them can
// forget one; they only define where a call goes, and how.
#pragma once

#include <functional>

#include "pipeline/run/observer.h"

namespace satdl {

class ForwardingObserver : public Observer {
public:
    void run_started(const Dag& dag, const Plan& plan) final;
    void stage_started(const Dag& dag, const PlannedNode& planned) final;
    void stage_waiting(const Dag& dag, const PlannedNode& planned, const std::string& holder) final;
    void stage_progress(const Dag& dag, NodeId node, const Progress& progress) final;
    void stage_log(const Dag& dag, NodeId node, LogLevel level, const std::string& message) final;
    void stage_finished(const Dag& dag, const NodeResult& result) final;
    void stages_finished(const Dag& dag, const std::vector<NodeResult>& results) final;
    void run_finished(const Dag& dag, const RunResult& result) final;
    void warning(const std::string& text) final;
    void remote_used(const RemoteUse& use) final;
    void sweep_started(const Sweep& sweep, const Workload& workload) final;
    void sweep_finished(const Sweep& sweep, const SweepSummary& summary, const RunResult& result) final;

protected:
    using Call = std::function<void(Observer& to)>;
    virtual void forward(const Call& call) = 0;
};

}  // namespace satdl
