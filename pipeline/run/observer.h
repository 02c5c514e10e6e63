// Who is told what happens in a run: a terminal, plain lines, JSON lines, the run's record.
//
// Calls come one at a time, but from any thread (the schedule sees to that: SerializedObserver); an observer must not block for long.
// stage_finished comes when the node's outcome is kept, which may be after its consumers have started. It comes once a node,
// with one exception: a reused artifact that turns out damaged when it is read is made again, and is told a second time.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/plan/plan.h"

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
    std::string resumed_from;    // ran, from a checkpoint: "epoch 7, step 210, 61 %"
    double started_seconds = 0;  // since the run began
    double seconds = 0;
    std::string error;           // Failed: why, in the stage's words or ours; may have several lines
    int attempt = 1, attempts = 1;     // the last one, and how many its `retries` allow
    std::optional<Digest> library{};   // ran or failed: SHA-256 of the file whose code it was, where known
    std::string not_kept;        // ran, but could not be written: why
    bool nondeterministic = false;  // the store already had other bytes under this key
};

// What people and programs are told: the state's name, or "resumed".
[[nodiscard]] std::string_view state_word(const NodeResult& result);

struct RunResult {
    std::vector<NodeResult> nodes;  // in the plan's order
    double seconds = 0;
    bool stopped = false;           // by a signal
    std::string observer_error;           // what an observer threw first (a record that could not be written); the run went on
    [[nodiscard]] std::size_t count(NodeState state) const;
    [[nodiscard]] ExitCode exit_code() const;  // Done, StageFailed, Store (something was not kept); signals are the caller's
};

// "stage m1 (train, dags/full.yaml:31:3)"
[[nodiscard]] std::string stage_text(const Node& node);

class Observer {
public:
    virtual ~Observer() = default;
    virtual void run_started(const Dag&, const Plan&) {}
    virtual void stage_started(const Dag&, const PlannedNode&) {}
    virtual void stage_progress(const Dag&, NodeId, const Progress&) {}
    virtual void stage_log(const Dag&, NodeId, LogLevel, const std::string&) {}
    virtual void stage_finished(const Dag&, const NodeResult&) {}
    virtual void run_finished(const Dag&, const RunResult&) {}
    // Of a sweep, after run_started and after run_finished: a whole event as a line of JSON (docs/json.md).
    virtual void sweep_event(const Dag&, const std::string& line) { (void)line; }
};

// Tells several, in order. Each is told, even where one before it throws; then the first exception goes on.
[[nodiscard]] std::unique_ptr<Observer> broadcast(std::vector<Observer*> observers);

// What a schedule tells, it tells through this: one call at a time, and nothing thrown back into the run.
class SerializedObserver final : public Observer {
public:
    explicit SerializedObserver(Observer& observer) : observer_(observer) {}
    void run_started(const Dag& dag, const Plan& plan) override;
    void stage_started(const Dag& dag, const PlannedNode& planned) override;
    void stage_progress(const Dag& dag, NodeId node, const Progress& progress) override;
    void stage_log(const Dag& dag, NodeId node, LogLevel level, const std::string& message) override;
    void stage_finished(const Dag& dag, const NodeResult& result) override;
    void run_finished(const Dag& dag, const RunResult& result) override;
    void sweep_event(const Dag& dag, const std::string& line) override;

    // What the observer threw first; "" where it threw nothing.
    [[nodiscard]] std::string observer_error();

private:
    template <typename Call>
    void tell(Call&& call);

    Observer& observer_;
    std::mutex mutex_;
    std::string observer_error_;  // guarded by mutex_
};

}  // namespace satdl
