// A world in memory in which DAGs of tiny stages run, on the flow graph or its serial twin.
#pragma once

#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "pipeline/store/memory_store.h"
#include "tests/support/memory_checkpoints.h"
#include "tests/support/tiny_stages.h"

namespace satdl::test {

using Names = std::vector<std::string>;
using Script = std::function<StageOutput(const StageInputs&, StageContext&)>;

// Tiny stages, except for nodes that have a script.
class ScriptedExecutor final : public TinyExecutor {
public:
    using TinyExecutor::TinyExecutor;
    [[nodiscard]] StageOutput execute(const Node& node, const StageInputs& inputs, StageContext& context) override {
        const auto script = scripts.find(node.name);
        StageOutput plain = TinyExecutor::execute(node, inputs, context);
        return script == scripts.end() ? plain : script->second(inputs, context);
    }
    std::map<std::string, Script> scripts;  // set before the run
};

// A store in memory whose faults are set before the run.
class FaultyStore final : public Store {
public:
    [[nodiscard]] std::optional<StoredOutput> find(const Digest& key) override { return kept_.find(key); }
    [[nodiscard]] std::optional<ArtifactHeader> header(const Digest& key) override { return kept_.header(key); }
    [[nodiscard]] std::optional<StageOutput> load(const Digest& key) override {
        const std::scoped_lock lock(mutex_);
        ++loads;
        if (damaged.erase(key) > 0) {
            kept_.erase(key);
            throw DamagedArtifact(kept_.path_of(key), "tensor out: a bit is flipped");
        }
        return kept_.load(key);
    }
    Published publish(const Recipe& recipe, const StageDescription& description, const StageOutput& outcome) override {
        if (full || refused.contains(key_of(recipe))) throw FileError(ENOSPC, "write", "objects");
        if (forgets) return Published::New;
        return kept_.publish(recipe, description, outcome);
    }
    [[nodiscard]] std::vector<Digest> keys() override { return kept_.keys(); }
    [[nodiscard]] std::filesystem::path path_of(const Digest& key) const override { return kept_.path_of(key); }
    void erase(const Digest& key) { kept_.erase(key); }

    std::set<Digest> damaged;
    std::set<Digest> refused;  // for these the disk is full
    bool full = false;
    bool forgets = false;  // keeps nothing, so that nothing but the schedule holds an outcome
    int loads = 0;

private:
    MemoryStore kept_;
    std::mutex mutex_;
};

struct Noting final : Observer {
    Names started;
    Names finished;  // "b ran"
    Names waiting;   // "b for run 7"
    Names queued;    // "b: job 7, Resources"
    Names log;
    std::vector<Progress> progress;
    bool throws = false;
    std::function<void()> waits;  // called when a stage waits

    void stage_started(const Dag& dag, const PlannedNode& planned) override { started.push_back(dag.nodes[planned.node].name); }
    void stage_queued(const Dag& dag, const PlannedNode& planned, const std::string& job, const std::string& reason) override {
        queued.push_back(fmt::format("{}: {}, {}", dag.nodes[planned.node].name, job, reason));
    }
    void stage_waiting(const Dag& dag, const PlannedNode& planned, const std::string& holder) override {
        waiting.push_back(dag.nodes[planned.node].name + " for " + holder);
        if (waits) waits();
    }
    void stage_progress(const Dag&, NodeId, const Progress& now) override { progress.push_back(now); }
    void stage_log(const Dag& dag, NodeId node, LogLevel level, const std::string& message) override {
        log.push_back(dag.nodes[node].name + (level == LogLevel::Warning ? " warning: " : ": ") + message);
    }
    void stage_finished(const Dag& dag, const NodeResult& result) override {
        finished.push_back(fmt::format("{} {}", dag.nodes[result.node].name, name_of(result.state)));
        if (throws) throw std::runtime_error("the record cannot be written");
    }
};

inline constexpr int kSerial = 0;  // GENERATE wants literals: it would keep a reference to this

struct World {
    Files files{{"one", {1, 2, 3}}, {"two", {100, 200, 300, 400}}};
    FaultyStore store;
    MemoryCheckpoints checkpoints{Retention::LastTwo};
    MemoryCheckpoints final_checkpoints{Retention::First};
    TinyCacheView cache{store, files, &checkpoints, &final_checkpoints};
    ScriptedExecutor executor{files};
    Machine machine{16, "AVX2"};
    Noting observer;
    TickingClock clock;
    std::atomic<bool> stop{false};
    Limits limits;
    Cohorts cohorts;
    KeyClaims* claims = nullptr;
    JobExecutor* job_executor = nullptr;
    std::atomic<bool> detach{false};

    // jobs 0: the serial twin.
    RunResult run(const Dag& dag, int jobs, const Request& request = {}) {
        const Plan plan = make_plan(dag, request, machine, cache);
        limits.jobs = jobs;
        const RunContext run{.dag = dag, .plan = plan, .machine = machine, .store = store, .cache = cache, .executor = executor,
                             .observer = observer, .clock = clock, .stop = stop, .limits = limits, .cohorts = cohorts,
                             .checkpoints = &checkpoints, .final_checkpoints = &final_checkpoints, .claims = claims,
                             .jobs = job_executor, .detach = &detach};
        RunResult result = jobs == kSerial ? run_serially(run) : run_on_flow_graph(run);
        cache.remember(dag, result);
        return result;
    }
};

inline int any_jobs() { return GENERATE(0, 1, 2, 3, 8, 16); }

// "b failed: because"
inline Names states(const Dag& dag, const RunResult& result) {
    Names made;
    for (const NodeResult& node : result.nodes) {
        made.push_back(fmt::format("{} {}: {}", dag.nodes[node.node].name, name_of(node.state), node.because));
    }
    return made;
}

inline const NodeResult& result_of(const Dag& dag, const RunResult& result, const std::string& name) {
    for (const NodeResult& node : result.nodes) {
        if (dag.nodes[node.node].name == name) return node;
    }
    throw std::logic_error("no node " + name);
}

inline Dag diamond() {
    return DagBuilder()
        .add("a", "read", {{"path", ConfigValue::of_text("two")}})
        .add("b", "add", {{"k", ConfigValue::of(std::int64_t{5})}}, {{"x", "a.out"}})
        .add("c", "split", {}, {{"x", "a.out"}})
        .add("d", "add", {}, {{"x", "b.out"}, {"y", "c.high"}})
        .build();
}

// a -> b -> c
inline Dag chain() {
    return DagBuilder()
        .add("a", "read", {{"path", ConfigValue::of_text("one")}})
        .add("b", "add", {{"k", ConfigValue::of(std::int64_t{7})}}, {{"x", "a.out"}})
        .add("c", "add", {}, {{"x", "b.out"}})
        .build();
}

}  // namespace satdl::test
