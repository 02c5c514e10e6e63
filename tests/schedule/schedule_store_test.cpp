// What a run makes of a store that is damaged, full, or holds other bytes.
#include "world.h"

using namespace satdl;
using namespace satdl::test;
using Catch::Matchers::Contains;

TEST_CASE("A damaged artifact is recomputed in the same run and reported") {
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
    CHECK_THAT(world.observer.log[0], Contains("its artifact was damaged") && Contains("rebuilding it"));
    CHECK(world.run(dag, jobs).count(NodeState::Reused) == 4);
}

TEST_CASE("A stage fails if it recomputes a damaged artifact with other bytes, and the error names the cause") {
    World world;
    world.limits.keep_going = true;
    const int jobs = any_jobs();
    const Dag dag = diamond();
    const RunResult before = world.run(dag, jobs);
    world.store.erase(*result_of(dag, before, "d").key);
    world.store.damaged = {*result_of(dag, before, "b").key};
    world.executor.scripts["b"] = [](const StageInputs&, StageContext&) { return StageOutput{{{"out", as_group({9})}}, {}}; };
    const RunResult after = world.run(dag, jobs);
    CHECK_THAT(result_of(dag, after, "b").error, Contains("it is not deterministic") && Contains("a bit is flipped"));
    CHECK(result_of(dag, after, "d").because == "needs b, which failed");
    CHECK(after.exit_code() == ExitCode::StageFailed);
    CHECK_FALSE(world.store.find(*result_of(dag, before, "b").key).has_value());
}

TEST_CASE("On a full disk consumers read from memory, and the exit code reports what was not stored") {
    World world;
    world.store.full = true;
    const Dag dag = diamond();
    const RunResult result = world.run(dag, any_jobs());
    CHECK(result.count(NodeState::Ran) == 4);
    CHECK(result.exit_code() == ExitCode::Store);
    for (const NodeResult& node : result.nodes) CHECK_THAT(node.not_kept, Contains("No space left on device"));
}

TEST_CASE("An output that cannot be stored costs no other one that is stored with it") {
    World world;
    const int jobs = any_jobs();
    const Dag dag = diamond();
    const RunResult first = world.run(dag, jobs);
    for (const NodeResult& node : first.nodes) world.store.erase(*node.key);
    const Digest refused = *result_of(dag, first, "b").key;
    world.store.refused = {refused};
    const RunResult result = world.run(dag, jobs);
    CHECK(result.exit_code() == ExitCode::Store);
    for (const NodeResult& node : result.nodes) {
        CHECK(node.state == NodeState::Ran);
        CHECK(node.not_kept.empty() == (*node.key != refused));
        CHECK(world.store.find(*node.key).has_value() == (*node.key != refused));
    }
}

TEST_CASE("The serial twin stores several outputs at once, and each is reported when it is stored") {
    World world;
    const Dag dag = diamond();
    const std::size_t together = GENERATE(1, 2, 3, 4, 9);
    const Plan plan = make_plan(dag, {}, world.machine, world.cache);
    const RunResult result = run_serially({.dag = dag, .plan = plan, .machine = world.machine, .store = world.store, .cache = world.cache,
                                           .executor = world.executor, .observer = world.observer, .clock = world.clock, .stop = world.stop},
                                          together);
    CHECK(result.count(NodeState::Ran) == 4);
    CHECK(world.observer.finished == Names{"a ran", "b ran", "c ran", "d ran"});
    for (const NodeResult& node : result.nodes) CHECK(world.store.find(*node.key).has_value());
}

TEST_CASE("The output of a stage whose source file changed meanwhile is not used, even if the file was restored") {
    World world;
    const Dag dag = chain();
    const bool put_back = GENERATE(false, true);
    world.executor.scripts["a"] = [&](const StageInputs&, StageContext&) {
        ++world.cache.edits["one"];
        if (!put_back) world.files["one"] = {4, 5, 6};
        return StageOutput{{{"out", as_group({7, 8, 9})}}, {}};
    };
    const RunResult result = world.run(dag, any_jobs());
    CHECK(result.exit_code() == ExitCode::StageFailed);
    CHECK_THAT(result_of(dag, result, "a").error, Contains("one changed while the stage read it"));
    CHECK(world.store.keys().empty());
    world.executor.scripts.clear();
    CHECK(world.run(dag, kSerial).exit_code() == ExitCode::Done);
}

TEST_CASE("Different bytes under the same key are reported as nondeterminism, and the first are kept") {
    World world;
    const int jobs = any_jobs();
    const Dag dag = chain();
    const RunResult before = world.run(dag, jobs);
    world.executor.scripts["c"] = [](const StageInputs&, StageContext&) { return StageOutput{{{"out", as_group({9})}}, {}}; };
    const RunResult after = world.run(dag, jobs, {.targets = {"c"}, .force = true});
    CHECK(result_of(dag, after, "c").nondeterministic);
    CHECK(world.store.find(*result_of(dag, before, "c").key).value().ports == result_of(dag, before, "c").outputs);
    REQUIRE(world.observer.log.size() == 1);
    CHECK_THAT(world.observer.log[0], Contains("c warning: it is not deterministic"));
}

TEST_CASE("What a stage warned of is said again when it is reused, as a run from nothing would") {
    World world;
    const int jobs = any_jobs();
    const Dag dag = chain();
    world.executor.scripts["b"] = [](const StageInputs&, StageContext& context) {
        context.log(LogLevel::Info, "half of it is done");
        context.log(LogLevel::Warning, "class 3 is missing");
        return StageOutput{{{"out", as_group({8, 9, 10})}}, {}};
    };
    const RunResult before = world.run(dag, jobs);
    CHECK(world.observer.log == Names{"b: half of it is done", "b warning: class 3 is missing"});
    CHECK(world.store.header(*result_of(dag, before, "b").key)->warnings == Names{"class 3 is missing"});
    world.observer.log.clear();
    CHECK(world.run(dag, jobs).count(NodeState::Reused) == 3);
    CHECK(world.observer.log == Names{"b warning: class 3 is missing"});
}

TEST_CASE("Two stages with one key both say what the one that ran warned of") {
    World world;
    const Dag dag = DagBuilder()
                        .add("a", "read", {{"path", ConfigValue::of_text("one")}})
                        .add("b", "read", {{"path", ConfigValue::of_text("one")}})
                        .build();
    for (const char* name : {"a", "b"}) {
        world.executor.scripts[name] = [](const StageInputs&, StageContext& context) {
            context.log(LogLevel::Warning, "it is short");
            return StageOutput{{{"out", as_group({1})}}, {}};
        };
    }
    world.store.full = GENERATE(false, true);
    const RunResult result = world.run(dag, any_jobs());
    CHECK(result.count(NodeState::Reused) == 1);
    std::ranges::sort(world.observer.log);
    CHECK(world.observer.log == Names{"a warning: it is short", "b warning: it is short"});
}

TEST_CASE("A warning of an attempt that failed is not of the result") {
    World world;
    Dag dag = chain();
    dag.nodes[1].policy.retries = 1;
    int attempts = 0;
    world.executor.scripts["b"] = [&](const StageInputs&, StageContext& context) {
        context.log(LogLevel::Warning, fmt::format("attempt {}", ++attempts));
        if (attempts == 1) throw std::runtime_error("a passing fault");
        return StageOutput{{{"out", as_group({8, 9, 10})}}, {}};
    };
    const RunResult before = world.run(dag, any_jobs());
    CHECK(world.store.header(*result_of(dag, before, "b").key)->warnings == Names{"attempt 2"});
}
