// The flow graph at 1 to 16 jobs and its serial twin: each case runs under all of them.
#include "pipeline/schedule.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <new>
#include <random>
#include <thread>

#include "pipeline/stage_checkpoints.h"
#include "tests/support/memory_checkpoints.h"
#include "tests/support/tiny_stages.h"

using namespace satdl;
using namespace satdl::test;
using Catch::Matchers::Contains;

namespace {

using Names = std::vector<std::string>;
using Script = std::function<Outcome(const StageInputs&, StageContext&)>;

// Tiny stages, except for nodes that have a script.
class ScriptedExecutor final : public TinyExecutor {
public:
    using TinyExecutor::TinyExecutor;
    [[nodiscard]] Outcome execute(const Node& node, const StageInputs& inputs, StageContext& context) override {
        const auto script = scripts.find(node.name);
        Outcome plain = TinyExecutor::execute(node, inputs, context);
        return script == scripts.end() ? plain : script->second(inputs, context);
    }
    std::map<std::string, Script> scripts;  // set before the run
};

// A store in memory whose faults are set before the run.
class FaultyStore final : public Store {
public:
    [[nodiscard]] std::optional<PortDigests> find(const Digest& key) override { return kept_.find(key); }
    [[nodiscard]] std::optional<ObjectHeader> header(const Digest& key) override { return kept_.header(key); }
    [[nodiscard]] std::optional<Outcome> load(const Digest& key) override {
        const std::scoped_lock lock(mutex_);
        ++loads;
        if (damaged.erase(key) > 0) {
            kept_.erase(key);
            throw DamagedObject(kept_.path_of(key), "tensor out: a bit is flipped");
        }
        return kept_.load(key);
    }
    Published publish(const Recipe& recipe, const StageDescription& description, const Outcome& outcome) override {
        if (full) throw FileError(ENOSPC, "write", "objects");
        if (forgets) return Published::New;
        return kept_.publish(recipe, description, outcome);
    }
    [[nodiscard]] std::vector<Digest> keys() override { return kept_.keys(); }
    [[nodiscard]] std::filesystem::path path_of(const Digest& key) const override { return kept_.path_of(key); }
    void erase(const Digest& key) { kept_.erase(key); }

    std::set<Digest> damaged;
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
    Names log;
    std::vector<Progress> progress;
    bool throws = false;

    void stage_started(const Dag& dag, const PlannedNode& planned) override { started.push_back(dag.nodes[planned.node].name); }
    void stage_progress(const Dag&, NodeId, const Progress& now) override { progress.push_back(now); }
    void stage_log(const Dag& dag, NodeId node, LogLevel level, const std::string& message) override {
        log.push_back(dag.nodes[node].name + (level == LogLevel::Warning ? " warning: " : ": ") + message);
    }
    void stage_finished(const Dag& dag, const NodeResult& result) override {
        finished.push_back(fmt::format("{} {}", dag.nodes[result.node].name, name_of(result.state)));
        if (throws) throw std::runtime_error("the record cannot be written");
    }
};

constexpr int kSerial = 0;  // GENERATE wants literals: it would keep a reference to this

struct World {
    Files files{{"one", {1, 2, 3}}, {"two", {100, 200, 300, 400}}};
    FaultyStore store;
    MemoryCheckpoints checkpoints;
    TinyKnowledge knowledge{store, files, &checkpoints};
    ScriptedExecutor executor{files};
    Machine machine{16, "AVX2"};
    Noting observer;
    TickingClock clock;
    std::atomic<bool> stop{false};
    Limits limits;
    Cohorts cohorts;

    // jobs 0: the serial twin.
    RunResult run(const Dag& dag, int jobs, const Request& request = {}) {
        const Plan plan = make_plan(dag, request, machine, knowledge);
        const Carrying carrying{dag, plan, machine, store, knowledge, executor, observer, clock, stop, &checkpoints, 60, cohorts};
        limits.jobs = jobs;
        RunResult result = jobs == kSerial ? run_serially(carrying, limits) : run_on_flow_graph(carrying, limits);
        knowledge.remember(dag, result);
        return result;
    }
};

int any_jobs() { return GENERATE(0, 1, 2, 3, 8, 16); }

// "b failed: because"
Names states(const Dag& dag, const RunResult& result) {
    Names made;
    for (const NodeResult& node : result.nodes) {
        made.push_back(fmt::format("{} {}: {}", dag.nodes[node.node].name, name_of(node.state), node.because));
    }
    return made;
}

const NodeResult& result_of(const Dag& dag, const RunResult& result, const std::string& name) {
    for (const NodeResult& node : result.nodes) {
        if (dag.nodes[node.node].name == name) return node;
    }
    throw std::logic_error("no node " + name);
}

Dag diamond() {
    return DagBuilder()
        .add("a", "read", {{"path", Value::of_text("two")}})
        .add("b", "add", {{"k", Value::of(std::int64_t{5})}}, {{"x", "a.out"}})
        .add("c", "split", {}, {{"x", "a.out"}})
        .add("d", "add", {}, {{"x", "b.out"}, {"y", "c.high"}})
        .build();
}

// a -> b -> c
Dag chain() {
    return DagBuilder()
        .add("a", "read", {{"path", Value::of_text("one")}})
        .add("b", "add", {{"k", Value::of(std::int64_t{7})}}, {{"x", "a.out"}})
        .add("c", "add", {}, {{"x", "b.out"}})
        .build();
}

}  // namespace

TEST_CASE("A diamond gives the same bytes however it is scheduled, and nothing runs twice") {
    World world;
    const Dag dag = diamond();
    const int jobs = any_jobs();
    const RunResult result = world.run(dag, jobs);
    CHECK(result.exit_code() == ExitCode::Done);
    CHECK(world.executor.take_ran() == Names{"a", "b", "c", "d"});
    const auto outcome = world.store.load(*result_of(dag, result, "d").key);
    CHECK(as_numbers(outcome->outputs.at("out")) == Numbers{117, 230, 342, 455});
    CHECK(world.run(dag, jobs).count(NodeState::Reused) == 4);
    CHECK(world.executor.take_ran().empty());
}

TEST_CASE("A result tells what it was made of and how long it took") {
    World world;
    const Dag dag = chain();
    const RunResult result = world.run(dag, any_jobs());
    const NodeResult& b = result_of(dag, result, "b");
    CHECK(b.because == "never run");
    CHECK(b.key == key_of(b.recipe));
    CHECK(b.outputs == world.store.find(*b.key));
    CHECK(b.seconds > 0);
    CHECK(b.started_seconds > 0);
    CHECK(result.seconds > b.started_seconds);
}

TEST_CASE("Where an upstream run gives the bytes that it gave before, the rest is reused") {
    World world;
    const auto dag = [](std::int64_t k) {
        return DagBuilder()
            .add("a", "read", {{"path", Value::of_text("one")}})
            .add("b", "add", {{"k", Value::of(k)}}, {{"x", "a.out"}})
            .add("c", "coarse", {}, {{"x", "b.out"}})
            .add("d", "add", {}, {{"x", "c.out"}})
            .build();
    };
    const int jobs = any_jobs();
    (void)world.run(dag(1), jobs);
    (void)world.executor.take_ran();
    const RunResult result = world.run(dag(2), jobs);
    CHECK(states(dag(2), result) == Names{"a reused: nothing changed", "b ran: k was 1, is 2", "c ran: input x changed",
                                          "d reused: its inputs came out the same"});
    CHECK(world.executor.take_ran() == Names{"b", "c"});
}

TEST_CASE("Two stages that are the same run once") {
    World world;
    const Dag dag = DagBuilder()
                        .add("a", "make")
                        .add("b", "make")
                        .add("c", "parity", {}, {{"x", "a.out"}})
                        .add("d", "parity", {}, {{"x", "b.out"}})
                        .build();
    const RunResult result = world.run(dag, any_jobs());
    CHECK(result.exit_code() == ExitCode::Done);
    CHECK(result.count(NodeState::Ran) == 2);
    CHECK(result.count(NodeState::Reused) == 2);
    CHECK(world.executor.take_ran().size() == 2);
}

TEST_CASE("A stage that fails stops what depends on it; with keep_going the rest goes on") {
    World world;
    world.limits.keep_going = true;
    world.executor.scripts["b"] = [](const StageInputs&, StageContext&) -> Outcome {
        throw Error(ExitCode::StageFailed, "the loss is not a number", "lower the learning rate");
    };
    Dag dag = DagBuilder()
                  .add("a", "read", {{"path", Value::of_text("one")}})
                  .add("b", "add", {}, {{"x", "a.out"}})
                  .add("c", "add", {}, {{"x", "b.out"}})
                  .add("d", "parity", {}, {{"x", "c.out"}})
                  .add("e", "parity", {}, {{"x", "a.out"}})
                  .build();
    const RunResult result = world.run(dag, any_jobs());
    CHECK(states(dag, result) == Names{"a ran: never run", "b failed: never run", "c skipped: needs b, which failed",
                                       "d skipped: needs b, which failed", "e ran: never run"});
    CHECK_THAT(result_of(dag, result, "b").error, Contains("the loss is not a number") && Contains("lower the learning rate"));
    CHECK(result.exit_code() == ExitCode::StageFailed);
    CHECK(world.store.keys().size() == 2);
}

TEST_CASE("Without keep_going nothing new starts after a failure, and what ran is kept") {
    World world;
    world.executor.scripts["a"] = [](const StageInputs&, StageContext&) -> Outcome { throw std::runtime_error("index 7"); };
    DagBuilder builder;
    builder.add("a", "make");
    for (int i = 0; i < 30; ++i) {
        builder.add(fmt::format("b{}", i), "add", {{"k", Value::of(std::int64_t{i})}},
                    {{"x", i == 0 ? std::string("a.out") : fmt::format("b{}.out", i - 1)}});
    }
    builder.add("c", "make", {{"k", Value::of(std::int64_t{2})}});
    builder.add("d", "parity", {}, {{"x", "c.out"}});
    const Dag dag = builder.build();
    const int jobs = GENERATE(0, 1);  // a has the longest path: it starts, and fails, first
    const RunResult result = world.run(dag, jobs);
    CHECK(result_of(dag, result, "c").because == "not started, since a failed");
    CHECK(result_of(dag, result, "b29").because == "needs a, which failed");
    CHECK(world.executor.take_ran() == Names{"a"});
    CHECK(result_of(dag, result, "a").error == "index 7");
}

TEST_CASE("Whatever a stage throws is told as that stage's failure") {
    World world;
    const int jobs = any_jobs();
    const auto message = [&](Script script) {
        world.executor.scripts["c"] = std::move(script);
        const Dag dag = chain();
        return result_of(dag, world.run(dag, jobs), "c").error;
    };
    CHECK(message([](const StageInputs&, StageContext&) -> Outcome { throw std::bad_alloc(); }) ==
          "there was not enough memory");
    CHECK(message([](const StageInputs&, StageContext&) -> Outcome { throw 7; }) ==
          "it threw something that is no exception");
    CHECK(message([](const StageInputs&, StageContext&) -> Outcome {
              throw std::runtime_error("size mismatch\nException raised from here at there.cpp:1\nframe #0");
          }) == "size mismatch");
    CHECK_THAT(message([](const StageInputs&, StageContext&) { return Outcome{}; }),
               Contains("is not what its description declares") && Contains("out"));
    CHECK(message([](const StageInputs&, StageContext&) -> Outcome { throw Stopped{}; }) == "it stopped, though nobody had asked it to");
}

TEST_CASE("What fails in passing is tried again as often as it may be, and every attempt is told") {
    const int jobs = any_jobs();
    int calls = 0;
    Names log;
    const auto run = [&](int good_call, const std::function<void()>& failure) {
        World world;
        Dag dag = chain();
        dag.nodes[2].supervision.retries = 2;
        calls = 0;
        world.executor.scripts["c"] = [&, good_call](const StageInputs& inputs, StageContext&) -> Outcome {
            if (++calls != good_call) failure();
            return {{{"out", inputs.at("x")}}, {}};
        };
        const NodeResult result = result_of(dag, world.run(dag, jobs), "c");
        log = world.observer.log;
        return result;
    };
    const NodeResult third = run(3, [] { throw std::runtime_error("not yet"); });
    CHECK((third.state == NodeState::Ran && third.attempt == 3 && third.attempts == 3));
    CHECK(log == Names{"c warning: attempt 1 of 3 failed: not yet; attempt 2 follows",
                       "c warning: attempt 2 of 3 failed: not yet; attempt 3 follows"});
    const NodeResult never = run(4, [] { throw 7; });
    CHECK((never.state == NodeState::Failed && never.attempt == 3 && calls == 3));
    const NodeResult mistake = run(4, [] { throw Error(ExitCode::Usage, "the shapes do not fit"); });
    CHECK((mistake.state == NodeState::Failed && mistake.attempt == 1 && calls == 1 && log.empty()));
}

TEST_CASE("Past its timeout a stage is asked to stop, and that is its failure and not the run's end") {
    World world;
    const int jobs = any_jobs();
    Dag dag = chain();
    dag.nodes[2].supervision.timeout_seconds = 5;
    world.executor.scripts["c"] = [](const StageInputs&, StageContext& context) -> Outcome {
        while (!context.stop_requested()) {
        }
        throw Stopped{};
    };
    const RunResult result = world.run(dag, jobs);
    CHECK(result_of(dag, result, "c").error == "it ran longer than its timeout of 5 s, and was asked to stop");
    CHECK_FALSE(result.stopped);
    CHECK(result.exit_code() == ExitCode::StageFailed);
}

TEST_CASE("The stop flag: running stages are asked to stop, no new one starts, what was done is kept") {
    World world;
    world.executor.scripts["b"] = [&](const StageInputs&, StageContext& context) -> Outcome {
        world.stop = true;
        while (!context.stop_requested()) std::this_thread::yield();
        throw Stopped{};
    };
    const Dag dag = chain();
    const RunResult result = world.run(dag, any_jobs());
    CHECK(states(dag, result) == Names{"a ran: never run", "b stopped: never run", "c skipped: needs b, which was stopped"});
    CHECK(result.stopped);
    CHECK(world.store.keys().size() == 1);
    CHECK(world.executor.take_ran() == Names{"a", "b"});
}

TEST_CASE("Stopped before it began, a run starts nothing; what is reused is still reused") {
    World world;
    const Dag dag = chain();
    (void)world.run(dag, kSerial);
    world.store.erase(*make_plan(dag, {}, world.machine, world.knowledge).nodes[1].key);
    world.stop = true;
    const RunResult result = world.run(dag, any_jobs());
    CHECK(states(dag, result)[0] == "a reused: nothing changed");
    CHECK(states(dag, result)[1] == "b skipped: the run was stopped before it could start");
    CHECK(states(dag, result)[2] == "c skipped: the run was stopped before it could start");
}

TEST_CASE("An outcome is freed when its last consumer is done and it is on disk") {
    World world;
    world.store.forgets = true;
    std::weak_ptr<const void> of_a;
    std::weak_ptr<const void> of_b;
    bool a_at_c = true;
    world.executor.scripts["b"] = [&](const StageInputs& inputs, StageContext&) {
        of_a = inputs.at("x").at("").owner();
        return Outcome{{{"out", as_group({1, 2})}}, {}};
    };
    world.executor.scripts["c"] = [&](const StageInputs& inputs, StageContext&) {
        of_b = inputs.at("x").at("").owner();
        a_at_c = !of_a.expired();
        return Outcome{{{"out", as_group({3})}}, {}};
    };
    const int jobs = any_jobs();
    (void)world.run(chain(), jobs);
    if (jobs == kSerial) CHECK_FALSE(a_at_c);  // on the flow graph the writer may still have it
    CHECK(of_a.expired());
    CHECK(of_b.expired());
}

TEST_CASE("What is reused is loaded once, shared by its consumers, and only where it is needed") {
    World world;
    const auto dag = [](std::int64_t k) {
        DagBuilder builder;
        builder.add("a", "make").add("unused", "parity", {}, {{"x", "a.out"}});
        for (std::int64_t i = 0; i < 6; ++i) {
            builder.add(fmt::format("b{}", i), "add", {{"k", Value::of(k + i)}}, {{"x", "a.out"}});
        }
        return builder.build();
    };
    const int jobs = any_jobs();
    (void)world.run(dag(0), jobs);
    CHECK(world.store.loads == 0);
    (void)world.run(dag(100), jobs);
    CHECK(world.store.loads == 1);
    (void)world.run(dag(100), jobs);
    CHECK(world.store.loads == 1);
}

TEST_CASE("A damaged artifact is made again in the same run, and told so") {
    World world;
    const int jobs = any_jobs();
    const Dag dag = diamond();
    const RunResult before = world.run(dag, jobs);
    (void)world.executor.take_ran();
    // d must run; b, which it needs, turns out damaged; so does a, which b needs.
    world.store.erase(*result_of(dag, before, "d").key);
    world.store.damaged = {*result_of(dag, before, "b").key, *result_of(dag, before, "a").key};
    const RunResult after = world.run(dag, jobs);
    CHECK(after.exit_code() == ExitCode::Done);
    CHECK(world.executor.take_ran() == Names{"a", "b", "d"});
    CHECK(result_of(dag, after, "b").state == NodeState::Ran);
    CHECK_THAT(result_of(dag, after, "b").because, Contains("its artifact was damaged") && Contains("a bit is flipped"));
    CHECK(result_of(dag, after, "c").state == NodeState::Reused);
    CHECK(result_of(dag, after, "d").outputs == result_of(dag, before, "d").outputs);
    REQUIRE(world.observer.log.size() == 2);
    CHECK_THAT(world.observer.log[0], Contains("its artifact was damaged") && Contains("it is made again"));
    CHECK(world.run(dag, jobs).count(NodeState::Reused) == 4);
}

TEST_CASE("A damaged artifact that comes out otherwise when made again fails, naming the cause") {
    World world;
    world.limits.keep_going = true;
    const int jobs = any_jobs();
    const Dag dag = diamond();
    const RunResult before = world.run(dag, jobs);
    world.store.erase(*result_of(dag, before, "d").key);
    world.store.damaged = {*result_of(dag, before, "b").key};
    world.executor.scripts["b"] = [](const StageInputs&, StageContext&) { return Outcome{{{"out", as_group({9})}}, {}}; };
    const RunResult after = world.run(dag, jobs);
    CHECK_THAT(result_of(dag, after, "b").error, Contains("it is not deterministic") && Contains("a bit is flipped"));
    CHECK(result_of(dag, after, "d").because == "needs b, which failed");
    CHECK(after.exit_code() == ExitCode::StageFailed);
    CHECK_FALSE(world.store.find(*result_of(dag, before, "b").key).has_value());
}

TEST_CASE("A full disk costs no result of this run: consumers go on from memory, and the exit code says so") {
    World world;
    world.store.full = true;
    const Dag dag = diamond();
    const RunResult result = world.run(dag, any_jobs());
    CHECK(result.count(NodeState::Ran) == 4);
    CHECK(result.exit_code() == ExitCode::Store);
    for (const NodeResult& node : result.nodes) CHECK_THAT(node.not_kept, Contains("No space left on device"));
}

TEST_CASE("Other bytes under the same key are told as nondeterminism; the first stay") {
    World world;
    const int jobs = any_jobs();
    const Dag dag = chain();
    const RunResult before = world.run(dag, jobs);
    world.executor.scripts["c"] = [](const StageInputs&, StageContext&) { return Outcome{{{"out", as_group({9})}}, {}}; };
    const RunResult after = world.run(dag, jobs, {.targets = {"c"}, .force = true});
    CHECK(result_of(dag, after, "c").nondeterministic);
    CHECK(world.store.find(*result_of(dag, before, "c").key) == result_of(dag, before, "c").outputs);
    REQUIRE(world.observer.log.size() == 1);
    CHECK_THAT(world.observer.log[0], Contains("c warning: it is not deterministic"));
}

TEST_CASE("Forced stages run; what is below them is reused where they give the same") {
    World world;
    const int jobs = any_jobs();
    const Dag dag = chain();
    (void)world.run(dag, jobs);
    const RunResult result = world.run(dag, jobs, {.downstream = {"b"}, .force = true});
    CHECK(states(dag, result) == Names{"a reused: nothing changed", "b ran: forced", "c reused: its inputs came out the same"});
    const RunResult all = world.run(dag, jobs, {.force = true});
    CHECK(all.count(NodeState::Ran) == 3);
}

TEST_CASE("A stage computes in the precision that the machine gives, and says why") {
    World world;
    CatalogEntry stage = *tiny_catalog().find("make");
    stage.description.params.push_back({.name = "precision", .type = ParamType::Precision});
    Dag dag = DagBuilder().add("a", "make").build();
    dag.nodes[0].stage = &stage;
    const auto told = [&](const std::string& wanted, const std::string& bf16) {
        auto params = dag.nodes[0].params.values();
        params["precision"] = Value::scalar(wanted);
        dag.nodes[0].params = Params(std::move(params));
        world.machine.bf16 = bf16;
        world.observer.log.clear();
        std::string computed_in;
        world.executor.scripts["a"] = [&](const StageInputs&, StageContext& context) {
            computed_in = name_of(context.precision());
            return Outcome{{{"out", as_group({1})}}, {}};
        };
        (void)world.run(dag, any_jobs(), {.force = true});
        CHECK(world.observer.log.size() <= 1);
        return computed_in + (world.observer.log.empty() ? "" : ", " + world.observer.log[0]);
    };
    CHECK(told("auto", "AVX512-BF16") == "bf16, a: computes in bf16 (auto: this CPU has AVX512-BF16)");
    CHECK(told("auto", "") == "fp32, a: computes in fp32 (auto: this CPU has neither AVX512-BF16 nor AMX-BF16)");
    CHECK(told("bf16", "AMX-BF16") == "bf16, a: computes in bf16 (this CPU has AMX-BF16)");
    CHECK(told("bf16", "") ==
          "bf16, a warning: computes in bf16, 15-25 times slower than fp32 here: this CPU has neither AVX512-BF16 nor AMX-BF16; "
          "precision: auto would take fp32");
    CHECK(told("fp32", "AMX-BF16") == "fp32");
}

TEST_CASE("What a stage says of its progress reaches the observer; its context holds what the plan decided") {
    World world;
    world.executor.scripts["b"] = [](const StageInputs&, StageContext& context) {
        Progress progress;
        progress.step = context.threads();
        context.progress(progress);
        context.log(LogLevel::Info, "half way");
        return Outcome{{{"out", as_group({1})}}, {}};
    };
    const Dag dag = DagBuilder().add("a", "make").add("b", "add", {{"threads", Value::scalar("3")}}, {{"x", "a.out"}}).build();
    (void)world.run(dag, any_jobs());
    REQUIRE(world.observer.progress.size() == 1);
    CHECK(world.observer.progress[0].step == 3);
    CHECK(world.observer.log == Names{"b: half way"});
    CHECK(world.observer.started == Names{"a", "b"});
    CHECK(world.observer.finished == Names{"a ran", "b ran"});
}

TEST_CASE("An observer that throws does not stop the run; the result tells of it") {
    World world;
    world.observer.throws = true;
    const RunResult result = world.run(chain(), any_jobs());
    CHECK(result.count(NodeState::Ran) == 3);
    CHECK(result.not_told == "the record cannot be written");
    CHECK(result.exit_code() == ExitCode::Store);
}

TEST_CASE("A blocked stage is skipped for the plan's reason") {
    World world;
    const Dag dag = chain();
    const RunResult result = world.run(dag, any_jobs(), {.single = {"b"}});
    CHECK_THAT(states(dag, result).at(0), Contains("b skipped: its input x comes from a"));
    CHECK(result.exit_code() == ExitCode::StageFailed);
}

TEST_CASE("Never more stages at once than jobs; the longest path first") {
    World world;
    const int jobs = GENERATE(1, 2, 4);
    std::atomic<int> inside{0};
    std::atomic<int> most{0};
    DagBuilder builder;
    for (std::int64_t i = 0; i < 24; ++i) builder.add(fmt::format("a{}", i), "make", {{"k", Value::of(i)}});
    builder.add("z", "make", {{"k", Value::of(std::int64_t{99})}}).add("y", "parity", {}, {{"x", "z.out"}});
    const Dag dag = builder.build();
    for (const Node& node : dag.nodes) {
        world.executor.scripts[node.name] = [&](const StageInputs&, StageContext&) {
            const int now = ++inside;
            for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {}
            std::this_thread::yield();
            --inside;
            return Outcome{{{"out", as_group({1})}}, {}};
        };
    }
    CHECK(world.run(dag, jobs).count(NodeState::Ran) == 26);
    CHECK(most <= jobs);
}

namespace {

// Points that share a few stages and have a few each, as a sweep has them.
struct Points {
    Dag dag;
    Cohorts cohorts;
    std::vector<int> sizes;  // by point: its own nodes
};

Points random_points(std::mt19937& random, bool equal_keys) {
    const auto below = [&](int end) { return static_cast<int>(random() % static_cast<unsigned>(end)); };
    Points made;
    DagBuilder builder;
    Names shared;
    for (int i = 0; i < 3; ++i) {
        shared.push_back(fmt::format("shared{}", i));
        const DagBuilder::Edges edges{{"x", i == 0 ? "" : shared[static_cast<std::size_t>(below(i))] + ".out"}};
        builder.add(shared.back(), i == 0 ? "make" : "add", {{"k", Value::of(std::int64_t{i})}}, i == 0 ? DagBuilder::Edges{} : edges);
        made.cohorts.emplace_back();
    }
    for (int point = 0; point < 6; ++point) {
        Names known = shared;
        made.sizes.push_back(1 + below(4));
        for (int i = 0; i < made.sizes.back(); ++i) {
            const std::string name = fmt::format("p{}_{}", point, i);
            const std::int64_t k = equal_keys ? below(2) : 100 + 10 * point + i;
            // parity: of two points' outcomes many are the same, and so are then the keys of what reads them
            builder.add(name, equal_keys && below(2) == 0 ? "parity" : "add", {{"k", Value::of(k)}},
                        {{"x", known[static_cast<std::size_t>(below(static_cast<int>(known.size())))] + ".out"}});
            known.push_back(name);
            made.cohorts.emplace_back(static_cast<std::size_t>(point));
        }
    }
    made.dag = builder.build();
    return made;
}

}  // namespace

TEST_CASE("Never more cohorts in flight than may be, whatever fails, and the results are those of the serial twin") {
    std::mt19937 random(11);
    for (int round = 0; round < 60; ++round) {
        const Points points = random_points(random, false);
        World world;
        world.cohorts = points.cohorts;
        world.limits.keep_going = round % 3 != 0;
        world.limits.cohorts = 1 + random() % 3;
        std::mutex mutex;
        std::map<std::size_t, int> entered, left;
        std::size_t most = 0;
        std::set<std::string> failing;
        for (NodeId id = 0; id < points.dag.nodes.size(); ++id) {
            const std::string name = points.dag.nodes[id].name;
            if (random() % 8 == 0 && name.starts_with('p')) failing.insert(name);
            world.executor.scripts[name] = [&, id, name](const StageInputs&, StageContext&) {
                const auto cohort = points.cohorts[id];
                {
                    const std::scoped_lock lock(mutex);
                    if (cohort) ++entered[*cohort];
                    std::size_t in_flight = 0;
                    for (const auto& [one, count] : entered) {
                        const int to_come = failing.empty() ? points.sizes[one] : count;  // who knows what else is skipped
                        in_flight += left[one] < to_come;
                    }
                    most = std::max(most, in_flight);
                }
                std::this_thread::yield();
                const std::scoped_lock lock(mutex);
                if (cohort) ++left[*cohort];
                if (failing.contains(name)) throw std::runtime_error("no luck");
                return Outcome{{{"out", as_group({static_cast<std::int64_t>(id)})}}, {}};
            };
        }
        if (round % 2 == 0) failing.clear();
        const RunResult result = world.run(points.dag, 1 + static_cast<int>(random() % 8));
        CHECK(most <= world.limits.cohorts);
        World serial;
        serial.limits = world.limits;
        serial.executor.scripts = world.executor.scripts;
        const RunResult twin = serial.run(points.dag, kSerial);
        if (world.limits.keep_going || failing.empty()) CHECK(states(points.dag, result) == states(points.dag, twin));
        for (std::size_t i = 0; i < twin.nodes.size(); ++i)
            if (twin.nodes[i].state == NodeState::Ran && result.nodes[i].state == NodeState::Ran)
                CHECK(twin.nodes[i].outputs == result.nodes[i].outputs);
    }
}

TEST_CASE("Cohorts whose stages turn out to be the same do not wait for each other for ever") {
    std::mt19937 random(12);
    for (int round = 0; round < 200; ++round) {
        const Points points = random_points(random, true);
        World world, serial;
        world.cohorts = points.cohorts;
        world.limits.cohorts = 1;
        const RunResult result = world.run(points.dag, 1 + static_cast<int>(random() % 8));
        const RunResult twin = serial.run(points.dag, kSerial);
        CHECK(result.count(NodeState::Ran) == twin.count(NodeState::Ran));
        for (std::size_t i = 0; i < twin.nodes.size(); ++i) CHECK(twin.nodes[i].outputs == result.nodes[i].outputs);
    }
}

TEST_CASE("One cohort at a time is one after the other, the shared stages before them") {
    World world;
    DagBuilder builder;
    builder.add("shared", "make");
    world.cohorts.emplace_back();
    for (const char* stage : {"b", "c", "d"}) {
        for (std::size_t point = 0; point < 4; ++point) {
            const std::string before = stage[0] == 'b' ? "shared" : fmt::format("{}{}", static_cast<char>(stage[0] - 1), point);
            builder.add(fmt::format("{}{}", stage, point), "add", {{"k", Value::of(static_cast<std::int64_t>(point + 1))}},
                        {{"x", before + ".out"}});
            world.cohorts.emplace_back(point);
        }
    }
    world.limits.cohorts = 1;
    (void)world.run(builder.build(), 8);
    CHECK(world.observer.started == Names{"shared", "b0", "c0", "d0", "b1", "c1", "d1", "b2", "c2", "d2", "b3", "c3", "d3"});
}

TEST_CASE("An empty plan is a run, too") {
    World world;
    const RunResult result = world.run(Dag{}, any_jobs());
    CHECK(result.nodes.empty());
    CHECK(result.exit_code() == ExitCode::Done);
}

namespace {

// Counts to ten, a step each, and stops where it is asked to.
Script counting(std::atomic<bool>& stop, std::int64_t stop_at) {
    return [&stop, stop_at](const StageInputs&, StageContext& context) {
        std::int64_t count = 0;
        if (const Group* state = context.checkpoint()) count = as_numbers(*state).front();
        while (count < 10) {
            if (count == stop_at) stop = true;
            const Progress at{.epoch = 1, .epochs = 1, .step = count, .steps = 10, .metrics = {}};
            if (context.stop_requested()) {
                context.keep_checkpoint(as_group({count}), at);
                throw Stopped{};
            }
            if (context.checkpoint_due(false)) context.keep_checkpoint(as_group({count}), at);
            ++count;
        }
        return Outcome{{{"out", as_group({count})}}, {}};
    };
}

}  // namespace

TEST_CASE("A stopped stage goes on from its checkpoint, which is dropped when its outcome is kept") {
    World world;
    const int jobs = any_jobs();
    const Dag dag = chain();
    world.executor.scripts["b"] = counting(world.stop, 4);
    const RunResult stopped = world.run(dag, jobs);
    const NodeResult& b = result_of(dag, stopped, "b");
    CHECK(b.state == NodeState::Stopped);
    CHECK(world.checkpoints.newest(*b.key)->step == 4);

    world.stop = false;
    const Plan plan = make_plan(dag, {}, world.machine, world.knowledge);
    CHECK(plan.nodes[1].action == Action::Resume);
    CHECK(plan.nodes[1].because == "interrupted at epoch 1, step 4, 40 %");
    world.executor.scripts["b"] = counting(world.stop, -1);
    const RunResult resumed = world.run(dag, jobs);
    CHECK(result_of(dag, resumed, "b").state == NodeState::Ran);
    CHECK(outcome_of(result_of(dag, resumed, "b")) == "resumed");
    CHECK(result_of(dag, resumed, "b").resumed_from == "epoch 1, step 4, 40 %");
    CHECK(outcome_of(result_of(dag, resumed, "c")) == "ran");
    CHECK(world.checkpoints.count(*b.key) == 0);
}

TEST_CASE("A forced stage begins anew, and a stage that asks for no checkpoint is not told as resumed") {
    World world;
    const int jobs = any_jobs();
    const Dag dag = chain();
    world.executor.scripts["b"] = counting(world.stop, 4);
    (void)world.run(dag, jobs);
    world.stop = false;
    SECTION("forced") {
        bool anew = false;
        world.executor.scripts["b"] = [&](const StageInputs&, StageContext& context) {
            anew = context.checkpoint() == nullptr;
            return Outcome{{{"out", as_group({10})}}, {}};
        };
        CHECK(outcome_of(result_of(dag, world.run(dag, jobs, {.targets = {"b"}, .force = true}), "b")) == "ran");
        CHECK(anew);
    }
    SECTION("not asked for") {
        world.executor.scripts["b"] = [](const StageInputs&, StageContext&) { return Outcome{{{"out", as_group({10})}}, {}}; };
        CHECK(outcome_of(result_of(dag, world.run(dag, jobs), "b")) == "ran");
    }
}

TEST_CASE("A checkpoint that cannot be kept is told, and the stage goes on") {
    World world;
    world.checkpoints.full = true;
    world.executor.scripts["b"] = [](const StageInputs&, StageContext& context) {
        context.keep_checkpoint(as_group({1}), {.epoch = 1, .epochs = 1, .step = 1, .steps = 10, .metrics = {}});
        return Outcome{{{"out", as_group({10})}}, {}};
    };
    const Dag dag = chain();
    CHECK(world.run(dag, any_jobs()).exit_code() == ExitCode::Done);
    REQUIRE(world.observer.log.size() == 1);
    CHECK_THAT(world.observer.log[0], Contains("b warning: no checkpoint could be kept at epoch 1, step 1, 10 %"));
}

TEST_CASE("Checkpoints take at most a hundredth of a stage's time") {
    struct OwnClock final : Clock {
        double now = 0;
        double seconds() override { return now; }
    };
    struct SlowCheckpoints final : Checkpoints {
        explicit SlowCheckpoints(OwnClock& at) : clock(at) {}
        std::optional<CheckpointPlace> newest(const Digest&) override { return std::nullopt; }
        std::optional<Checkpoint> load(const Digest&) override { return std::nullopt; }
        void keep(const Recipe&, const CheckpointPlace&, const Group&) override { clock.now += 2; }
        void drop(const Digest&) override {}
        OwnClock& clock;
    };
    World world;
    const Dag dag = chain();
    const Plan plan = make_plan(dag, {}, world.machine, world.knowledge);
    OwnClock clock;
    SlowCheckpoints slow(clock);
    const Carrying carrying{dag, plan, world.machine, world.store, world.knowledge, world.executor, world.observer, clock, world.stop, &slow};
    StageCheckpoints checkpoints(carrying, plan.nodes[0]);
    CHECK_FALSE(checkpoints.due(true));
    clock.now = 2;
    CHECK(checkpoints.due(true));         // the end of an epoch
    CHECK_FALSE(checkpoints.due(false));  // within one: every 60 seconds
    clock.now = 60;
    CHECK(checkpoints.due(false));
    CHECK(checkpoints.keep(as_group({1}), {}).empty());  // takes two seconds
    clock.now += 199;
    CHECK_FALSE(checkpoints.due(true));
    clock.now += 1;
    CHECK(checkpoints.due(true));
    CHECK(checkpoints.due(false));
}
