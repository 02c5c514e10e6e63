// The result of a run: the state in which each node ended, and why.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/core/error.h"
#include "pipeline/dag/dag.h"
#include "pipeline/os/resource_usage.h"
#include "pipeline/store/recipe.h"

namespace satdl {

enum class NodeState { Ran, Reused, Failed, Skipped, Stopped };
[[nodiscard]] std::string_view name_of(NodeState state);  // "ran", "reused", "failed", "skipped", "stopped"
[[nodiscard]] bool succeeded(NodeState state);     // it has an output: Ran, Reused
[[nodiscard]] bool was_executed(NodeState state);  // in this run, to whatever end: Ran, Failed, Stopped

// What one attempt of a stage cost.
struct StageUsage {
    ResourceUsage process;            // in which it ran: this one, or its own
    std::uint64_t read_bytes = 0;     // of its inputs and source files, folders of files aside
    std::uint64_t written_bytes = 0;  // of its outputs, as arrays
};

// Of a node that jobs executed.
struct JobUsage {
    std::string where;          // the last one: "job 4711 on n2"
    double queued_seconds = 0;  // that its jobs waited for a machine
    int attempts = 1;           // jobs that it took
    bool is_config = false;     // the batch system will never take such a job
};

struct NodeResult {
    NodeId node = 0;
    NodeState state = NodeState::Skipped;
    std::string because;
    std::optional<Digest> key;
    std::optional<PortDigests> outputs;
    Recipe recipe;
    int threads = 1;
    std::string resumed_from;        // Ran, from a checkpoint: "epoch 7, step 210, 61 %"
    double started_seconds = 0;      // since the run began
    double seconds = 0;
    std::string error;               // Failed: the stage's own message or ours; may have several lines
    int attempt = 1, attempts = 1;   // the last one, and how many its `retries` allow
    std::optional<Digest> library{};  // Ran or Failed: SHA-256 of the file whose code it was, if known
    std::vector<std::string> warnings{};  // Ran: the stage's own
    std::optional<StageUsage> usage{};  // of the last attempt, if it was executed
    std::optional<JobUsage> job{};   // if a job executed it
    std::string not_kept;            // Ran, but could not be written: why
    bool nondeterministic = false;   // the store already had other bytes under this key
};

// What users see of a state: its name, or "resumed".
[[nodiscard]] std::string_view state_word(const NodeResult& result);

struct RunResult {
    std::vector<NodeResult> nodes;  // in the plan's order
    double seconds = 0;
    bool stopped = false;        // by a signal
    std::string observer_error;  // the first that an observer threw (a record that could not be written); the run continued
    [[nodiscard]] std::size_t count(NodeState state) const;
    // Done, StageFailed, Usage (the batch system refuses what the DAG asks for), or Store (something could not be written). The exit codes of
    // signals are the caller's.
    [[nodiscard]] ExitCode exit_code() const;
};

// "stage m1 (train, dags/full.yaml:31:3)"
[[nodiscard]] std::string stage_text(const Node& node);

}  // namespace satdl
