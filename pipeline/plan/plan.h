// What to do with each node, and why. A plan is a value: it decides and prints itself, and changes nothing. A dry
// run prints the very plan that the run carries out.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pipeline/dag/dag.h"
#include "pipeline/plan/continuation.h"
#include "pipeline/plan/machine.h"
#include "pipeline/plan/selection.h"
#include "pipeline/plan/source_file_digests.h"
#include "pipeline/store/checkpoint_store.h"
#include "pipeline/store/recipe.h"
#include "pipeline/store/store.h"

namespace satdl {

enum class Action {
    Reuse,    // the store has its outcome
    Run,
    Resume,   // run, starting where an interrupted attempt stopped
    Continue, // run, starting where a shorter training ended
    Unknown,  // its inputs change only if an upstream run changes them: decided when their digests are known
    Blocked,  // cannot run: an input that is not part of the request is not in the store
};
[[nodiscard]] std::string_view name_of(Action action);  // "reuse", ...
// Whether it runs, or may run.
[[nodiscard]] constexpr bool may_run(Action action) {
    return action == Action::Run || action == Action::Resume || action == Action::Continue || action == Action::Unknown;
}

// A change because of which a node has another key than the last time.
struct Cause {
    NodeId node = 0;   // that it happened to: the node itself, or one of its ancestors
    std::string text;  // "noise_factor: 0.4 -> 0.2"
    bool operator==(const Cause&) const = default;
};

inline constexpr const char* kFoundInRemote = "found in the remote";  // PlannedNode::because, the first time

struct PlannedNode {
    NodeId node = 0;
    Action action = Action::Run;
    std::string because;
    std::vector<Cause> causes;           // known if the recipe and the one of the last time are; its own come first
    int threads = 1;
    std::optional<Recipe> recipe;        // known if the inputs' digests are; else decide() sets it (Unknown; Run if forced)
    std::optional<Digest> key;
    std::optional<PortDigests> outputs;  // Reuse: what the store has
    std::vector<std::string> warnings;   // Reuse: what the stage warned of when it made that
    bool is_remote = false;              // Reuse: a remote has it, and not the store itself
    std::optional<double> expected_seconds;
    std::optional<CheckpointPosition> starts_from;  // Resume, Continue; `epochs` are its own
    bool forced = false;
    std::vector<Digest> file_digests;    // one per Node::files
    std::string where;                   // of a node that a job executes, when it started: "job 4711 on n2"
    int gpu = 0;                         // the number of the one that it was given when it started, if it computes on one
};

struct Plan {
    // In the DAG's order; only what the request includes. Every node comes with all its ancestors, so that a schedule needs
    // nothing else: those of a single stage (-s) are there to be reused.
    std::vector<PlannedNode> nodes;
    [[nodiscard]] const PlannedNode* find(NodeId node) const;
    [[nodiscard]] bool blocked() const;
    // Expected seconds of what runs or may run (sum); nullopt if some of it has no history.
    [[nodiscard]] std::optional<double> expected_seconds() const;
};

// What is known of earlier runs: from the run, the index and the store; in tests, a table.
struct PreviousRun {
    Recipe recipe;
    std::optional<double> seconds;
};
class CacheView : public FileDigests {
public:
    [[nodiscard]] virtual std::optional<StoredOutput> outcome(const Digest& key) = 0;
    // Store::is_slow(), Store::look_up().
    [[nodiscard]] virtual bool is_slow() const { return false; }
    virtual void look_up(std::span<const Digest> /*keys*/) {}
    [[nodiscard]] virtual std::optional<PreviousRun> previous_run(const Node& node) = 0;
    // Whether this is what run_state.h makes of the last run: then previous_run() of each of its nodes has the node's key.
    [[nodiscard]] virtual bool is_state_of_last_run(const Digest& /*state*/) { return false; }
    [[nodiscard]] virtual std::optional<double> expected_seconds(const Digest& key, const std::string& kind) = 0;
    // Where an interrupted attempt under this key stopped.
    [[nodiscard]] virtual std::optional<CheckpointPosition> checkpoint(const Digest& /*key*/) { return std::nullopt; }
    // The final checkpoint with the most epochs, of those that are not beyond the target.
    [[nodiscard]] virtual std::optional<CheckpointPosition> final_checkpoint(const Continuation& /*continuation*/) { return std::nullopt; }
};

// Precondition: the DAG has its types. Throws Error{Usage} for a target that does not exist (did you mean), Error{Store} for a
// dataset's file that is missing or is not what its manifest says.
[[nodiscard]] Plan make_plan(const Dag& dag, const Request& request, const Machine& machine, CacheView& cache);

// Decides one Unknown node once its inputs' digests are known: fills recipe, key, action (Reuse, Run, Resume or Continue),
// outputs, because, causes. `upstream`: the causes of the nodes that it reads, one list per Node::inputs; or none, if unknown.
void decide(const Dag& dag, PlannedNode& planned, const std::vector<Digest>& inputs, const Machine& machine, CacheView& cache,
            const std::vector<std::vector<Cause>>& upstream = {});

// The plan as text, one node a line, aligned: action, name, because, expected seconds.
[[nodiscard]] std::string to_text(const Plan& plan, const Dag& dag);

}  // namespace satdl
