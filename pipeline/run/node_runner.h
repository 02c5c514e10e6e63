// What happens to one node: decide, collect its inputs, run it, check what it returned, pass that on, store it. The flow graph and
// its serial twin both use this, so that they differ only in the order.
//
// Nodes are named by their position in the plan. For each: settle() once all its producers are settled and, if they ran,
// executed; then, if it says Run, execute(); then, if that says Store, store(), which takes several at once. Calls for different
// nodes may come at the same time; none of them throws what a stage, a store or an observer throws. A thread that waits in here must
// not take up another node (TBB: isolate it): it may hold the lock that the other would need.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "pipeline/run/admission.h"
#include "pipeline/run/attempt.h"
#include "pipeline/run/live_outputs.h"
#include "pipeline/run/plan_graph.h"
#include "pipeline/run/run_context.h"
#include "pipeline/run/serialized_observer.h"

namespace satdl {

class NodeRunner {
public:
    enum class Step {
        Settled,  // it does not run: its consumers can be settled
        Run,      // execute() it
        Wait,     // another node with this key is running: take_followers() of that node returns it
    };
    enum class AfterExecution {
        Done,
        Store,    // store() must follow; consumers need not wait for it
        Waiting,  // another process is computing the same: it did not run; try_again() until that says what to do
    };

    explicit NodeRunner(const RunContext& run);
    ~NodeRunner();
    NodeRunner(const NodeRunner&) = delete;
    NodeRunner& operator=(const NodeRunner&) = delete;

    [[nodiscard]] const PlanGraph& graph() const { return graph_; }

    [[nodiscard]] Step settle(std::size_t position);
    [[nodiscard]] ResourceRequest resources_for(std::size_t position);  // of a node that is to run
    [[nodiscard]] AfterExecution execute(std::size_t position, int gpu = 0);  // `gpu`: its number, if the node computes on one
    // Of a node that waits for another process: Settled if that one has stored what it computed, Run if it ended without (or if this run is
    // to stop: execute() says so). nullopt: it still computes.
    [[nodiscard]] std::optional<Step> try_again(std::size_t position);
    void store(std::span<const std::size_t> positions);
    [[nodiscard]] std::uint64_t bytes_to_store(std::size_t position) { return live_.bytes(position); }
    [[nodiscard]] std::size_t waits_for(std::size_t position);  // of a node that must wait
    // Those that waited for this node, which was executed: settle them (again).
    [[nodiscard]] std::vector<std::size_t> take_followers(std::size_t position);
    [[nodiscard]] std::uint64_t live_bytes() { return live_.bytes(); }

    [[nodiscard]] RunResult finish();  // once, after all the others

private:
    struct Slot;

    [[nodiscard]] std::optional<std::string> reason_not_to_start();
    [[nodiscard]] std::optional<std::string> failed_producer(std::size_t position);
    void decide_now(std::size_t position);
    [[nodiscard]] Step claim_key(std::size_t position);
    [[nodiscard]] bool claim_from_others(std::size_t position);
    [[nodiscard]] bool reuse_computed_meanwhile(std::size_t position);

    [[nodiscard]] Attempt run_watching_files(const PlannedNode& planned, const StageInputs& inputs);
    [[nodiscard]] std::optional<std::string> collect_inputs(std::size_t position, StageInputs& inputs);
    [[nodiscard]] LiveOutput output_of(std::size_t position);
    [[nodiscard]] LiveOutput find_intact(std::size_t position);
    [[nodiscard]] bool has_output(std::size_t position);
    [[nodiscard]] LiveOutput rebuild(std::size_t position, const std::string& damage);
    void publish(std::span<const std::size_t> positions);
    [[nodiscard]] std::string remove_checkpoints(const PlannedNode& planned);
    void fetch_wanted();
    [[nodiscard]] bool is_elsewhere(std::size_t position);

    void repeat_warnings(std::size_t position, const std::vector<std::string>& warnings);
    void finish_without_running(std::size_t position, NodeState state, std::string text);
    void finish_attempt(std::size_t position, double started_seconds, Attempt made);
    void release_producers(std::size_t position);
    void report_finished(std::size_t position);
    [[nodiscard]] NodeResult result_of(std::size_t position);

    SerializedObserver observer_;
    const RunContext run_;  // the caller's, but for the observer: observer_
    const double begin_seconds_;
    const PlanGraph graph_;
    LiveOutputs live_;
    std::vector<std::unique_ptr<Slot>> slots_;  // by position; each guarded as Slot says

    std::mutex cache_mutex_;  // held while run_.cache is used
    std::mutex mutex_;            // guards all below, and of the slots what Slot says; never held during long operations
    std::unordered_map<Digest, std::size_t> by_key_;  // the node that runs, or ran, under this key
    std::optional<NodeId> failed_;                    // the first that failed
};

}  // namespace satdl
