#include "pipeline/run/forwarding_observer.h"

namespace satdl {

void ForwardingObserver::run_started(const Dag& dag, const Plan& plan) {
    forward([&](Observer& to) { to.run_started(dag, plan); });
}
void ForwardingObserver::stage_started(const Dag& dag, const PlannedNode& planned) {
    forward([&](Observer& to) { to.stage_started(dag, planned); });
}
void ForwardingObserver::stage_waiting(const Dag& dag, const PlannedNode& planned, const std::string& holder) {
    forward([&](Observer& to) { to.stage_waiting(dag, planned, holder); });
}
void ForwardingObserver::stage_progress(const Dag& dag, NodeId node, const Progress& progress) {
    forward([&](Observer& to) { to.stage_progress(dag, node, progress); });
}
void ForwardingObserver::stage_log(const Dag& dag, NodeId node, LogLevel level, const std::string& message) {
    forward([&](Observer& to) { to.stage_log(dag, node, level, message); });
}
void ForwardingObserver::stage_finished(const Dag& dag, const NodeResult& result) {
    forward([&](Observer& to) { to.stage_finished(dag, result); });
}
void ForwardingObserver::stages_finished(const Dag& dag, const std::vector<NodeResult>& results) {
    forward([&](Observer& to) { to.stages_finished(dag, results); });
}
void ForwardingObserver::run_finished(const Dag& dag, const RunResult& result) {
    forward([&](Observer& to) { to.run_finished(dag, result); });
}
void ForwardingObserver::warning(const std::string& text) {
    forward([&](Observer& to) { to.warning(text); });
}
void ForwardingObserver::remote_used(const RemoteUse& use) {
    forward([&](Observer& to) { to.remote_used(use); });
}
void ForwardingObserver::sweep_started(const Sweep& sweep, const Workload& workload) {
    forward([&](Observer& to) { to.sweep_started(sweep, workload); });
}
void ForwardingObserver::sweep_finished(const Sweep& sweep, const SweepSummary& summary, const RunResult& result) {
    forward([&](Observer& to) { to.sweep_finished(sweep, summary, result); });
}

}  // namespace satdl
