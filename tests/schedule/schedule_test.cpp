// The flow graph at 1 to 16 jobs and its serial twin: each case runs under all of them.
#include "pipeline/run/scheduler.h"

#include <array>
#include <thread>

#include "world.h"

using namespace satdl;
using namespace satdl::test;
using Catch::Matchers::Contains;

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

TEST_CASE("A result has its inputs and its duration") {
    World world;
    const Dag dag = chain();
    const RunResult result = world.run(dag, any_jobs());
    const NodeResult& b = result_of(dag, result, "b");
    CHECK(b.because == "no result yet");
    CHECK(b.key == key_of(b.recipe));
    CHECK(b.outputs == world.store.find(*b.key).value().ports);
    CHECK(b.seconds > 0);
    CHECK(b.started_seconds > 0);
    CHECK(result.seconds > b.started_seconds);
}

TEST_CASE("If an upstream stage reruns with the same bytes, the stages below it are reused") {
    World world;
    const auto dag = [](std::int64_t k) {
        return DagBuilder()
            .add("a", "read", {{"path", ConfigValue::of_text("one")}})
            .add("b", "add", {{"k", ConfigValue::of(k)}}, {{"x", "a.out"}})
            .add("c", "coarse", {}, {{"x", "b.out"}})
            .add("d", "add", {}, {{"x", "c.out"}})
            .build();
    };
    const int jobs = any_jobs();
    (void)world.run(dag(1), jobs);
    (void)world.executor.take_ran();
    const RunResult result = world.run(dag(2), jobs);
    CHECK(states(dag(2), result) == Names{"a reused: nothing changed", "b ran: k: 1 -> 2", "c ran: k: 1 -> 2 (in b)",
                                          "d reused: its inputs are unchanged"});
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

TEST_CASE("An outcome is freed when its last consumer is done and it is on disk") {
    World world;
    world.store.forgets = true;
    std::weak_ptr<const void> of_a;
    std::weak_ptr<const void> of_b;
    bool a_at_c = true;
    world.executor.scripts["b"] = [&](const StageInputs& inputs, StageContext&) {
        of_a = inputs.at("x").at("").owner();
        return StageOutput{{{"out", as_group({1, 2})}}, {}};
    };
    world.executor.scripts["c"] = [&](const StageInputs& inputs, StageContext&) {
        of_b = inputs.at("x").at("").owner();
        a_at_c = !of_a.expired();
        return StageOutput{{{"out", as_group({3})}}, {}};
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
            builder.add(fmt::format("b{}", i), "add", {{"k", ConfigValue::of(k + i)}}, {{"x", "a.out"}});
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

TEST_CASE("Forced stages run, and the stages below them are reused if the bytes are the same") {
    World world;
    const int jobs = any_jobs();
    const Dag dag = chain();
    (void)world.run(dag, jobs);
    const RunResult result = world.run(dag, jobs, {.downstream = {"b"}, .force = true});
    CHECK(states(dag, result) == Names{"a reused: nothing changed", "b ran: forced", "c reused: its inputs are unchanged"});
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
        params["precision"] = wanted;
        dag.nodes[0].params = Params(std::move(params));
        world.machine.bf16 = bf16;
        world.observer.log.clear();
        std::string computed_in;
        world.executor.scripts["a"] = [&](const StageInputs&, StageContext& context) {
            computed_in = name_of(context.precision());
            return StageOutput{{{"out", as_group({1})}}, {}};
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
          "precision: auto would use fp32");
    CHECK(told("fp32", "AMX-BF16") == "fp32");
}

TEST_CASE("Stages use a GPU one at a time, beside stages on the CPU, and know their device") {
    const int gpus = GENERATE(1, 2);
    World world;
    CatalogEntry stage = *tiny_catalog().find("make");
    stage.description.params.push_back({.name = "device", .type = ParamType::Device});
    stage.description.params.push_back({.name = "precision", .type = ParamType::Precision});
    world.machine.gpus = {{stage.library, Gpu{"H1", "compute capability 9.0", true, gpus}}};
    DagBuilder builder;
    for (const std::string name : {"a", "b", "c", "d"}) builder.add(name, "make", {{"k", ConfigValue::of(std::int64_t{name[0]})}});
    Dag dag = builder.build();
    std::atomic<int> misplaced{0};  // Catch's own checks are for one thread
    std::array<std::atomic<int>, 2> on_gpu{}, most_on_gpu{};
    for (Node& node : dag.nodes) {
        node.stage = &stage;
        auto params = node.params.values();
        params["device"] = node.name == "a" ? "cpu" : node.name == "b" ? "auto" : "cuda";
        params["precision"] = node.name == "b" ? "auto" : "fp32";
        node.params = Params(std::move(params));
        world.executor.scripts[node.name] = [&, name = node.name](const StageInputs&, StageContext& context) {
            misplaced += context.device() != (name == "a" ? Device::Cpu : Device::Cuda);
            if (context.device() == Device::Cuda) {
                const auto gpu = static_cast<std::size_t>(context.gpu());
                most_on_gpu.at(gpu) = std::max(most_on_gpu[gpu].load(), ++on_gpu[gpu]);
                std::this_thread::yield();
                --on_gpu[gpu];
            }
            return StageOutput{{{"out", as_group({1})}}, {}};
        };
    }
    CHECK(world.run(dag, any_jobs()).exit_code() == ExitCode::Done);
    CHECK(most_on_gpu[0] == 1);
    CHECK(most_on_gpu[1] <= gpus - 1);
    CHECK(misplaced == 0);
    if (gpus > 1) return;
    std::ranges::sort(world.observer.log);
    CHECK(world.observer.log == Names{"b: computes in bf16 (auto: this GPU has instructions for it)",
                                      "b: computes on cuda (auto: H1, compute capability 9.0)",
                                      "c: computes on cuda (H1, compute capability 9.0)",
                                      "d: computes on cuda (H1, compute capability 9.0)"});
}

TEST_CASE("What a stage says of its progress reaches the observer, and its context holds what the plan decided") {
    World world;
    world.executor.scripts["b"] = [](const StageInputs&, StageContext& context) {
        Progress progress;
        progress.step = context.threads();
        context.progress(progress);
        context.log(LogLevel::Info, "half way");
        return StageOutput{{{"out", as_group({1})}}, {}};
    };
    const Dag dag = DagBuilder().add("a", "make").add("b", "add", {{"threads", ConfigValue::scalar("3")}}, {{"x", "a.out"}}).build();
    (void)world.run(dag, any_jobs());
    REQUIRE(world.observer.progress.size() == 1);
    CHECK(world.observer.progress[0].step == 3);
    CHECK(world.observer.log == Names{"b: half way"});
    CHECK(world.observer.started == Names{"a", "b"});
    CHECK(world.observer.finished == Names{"a ran", "b ran"});
}

TEST_CASE("An observer that throws does not stop the run, and the result reports it") {
    World world;
    world.observer.throws = true;
    const RunResult result = world.run(chain(), any_jobs());
    CHECK(result.count(NodeState::Ran) == 3);
    CHECK(result.observer_error == "the record cannot be written");
    CHECK(result.exit_code() == ExitCode::Store);
}

TEST_CASE("A blocked stage is skipped for the plan's reason") {
    World world;
    const Dag dag = chain();
    const RunResult result = world.run(dag, any_jobs(), {.single = {"b"}});
    CHECK_THAT(states(dag, result).at(0), Contains("b skipped: its input x comes from a"));
    CHECK(result.exit_code() == ExitCode::StageFailed);
}

TEST_CASE("Never more stages at once than jobs, and the longest path first") {
    World world;
    const int jobs = GENERATE(1, 2, 4);
    std::atomic<int> inside{0};
    std::atomic<int> max{0};
    DagBuilder builder;
    for (std::int64_t i = 0; i < 24; ++i) builder.add(fmt::format("a{}", i), "make", {{"k", ConfigValue::of(i)}});
    builder.add("z", "make", {{"k", ConfigValue::of(std::int64_t{99})}}).add("y", "parity", {}, {{"x", "z.out"}});
    const Dag dag = builder.build();
    for (const Node& node : dag.nodes) {
        world.executor.scripts[node.name] = [&](const StageInputs&, StageContext&) {
            const int now = ++inside;
            for (int seen = max; now > seen && !max.compare_exchange_weak(seen, now);) {}
            std::this_thread::yield();
            --inside;
            return StageOutput{{{"out", as_group({1})}}, {}};
        };
    }
    CHECK(world.run(dag, jobs).count(NodeState::Ran) == 26);
    CHECK(max <= jobs);
}

TEST_CASE("An empty plan is a run, too") {
    World world;
    const RunResult result = world.run(Dag{}, any_jobs());
    CHECK(result.nodes.empty());
    CHECK(result.exit_code() == ExitCode::Done);
}
