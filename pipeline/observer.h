// Who is told what happens in a run: a terminal, plain lines, JSON lines, the run's record. Calls come one at a time, but
// from any thread; an observer must not block for long.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/plan.h"

namespace satdl {

enum class NodeState { Ran, Reused, Failed, Skipped, Stopped };
[[nodiscard]] std::string_view name_of(NodeState state);  // "ran", "reused", "failed", "skipped", "stopped"

struct NodeResult {
    NodeId node = 0;
    NodeState state = NodeState::Skipped;
    std::string because;
    std::optional<Digest> key;
    std::optional<PortDigests> outputs;
    Recipe recipe;
    int threads = 1;
    double started_seconds = 0;  // since the run began
    double seconds = 0;
    std::string error;           // Failed: the whole message
    std::string not_kept;        // ran, but could not be written: why
    bool nondeterministic = false;  // the store already had other bytes under this key
};

struct RunResult {
    std::vector<NodeResult> nodes;  // in the plan's order
    double seconds = 0;
    bool stopped = false;           // by a signal
    [[nodiscard]] std::size_t count(NodeState state) const;
    [[nodiscard]] ExitCode exit_code() const;  // Done, StageFailed, Store (something was not kept); signals are the caller's
};

class Observer {
public:
    virtual ~Observer() = default;
    virtual void run_started(const Dag&, const Plan&) {}
    virtual void stage_started(const Dag&, const PlannedNode&) {}
    virtual void stage_progress(const Dag&, NodeId, const Progress&) {}
    virtual void stage_log(const Dag&, NodeId, LogLevel, const std::string&) {}
    virtual void stage_finished(const Dag&, const NodeResult&) {}
    virtual void run_finished(const Dag&, const RunResult&) {}
};

// Tells several, in order, one call at a time.
[[nodiscard]] std::unique_ptr<Observer> tell_all(std::vector<Observer*> observers);

}  // namespace satdl
