// What becomes of a run in which a stage fails, or which is asked to stop.
#include <new>
#include <thread>

#include "world.h"

using namespace satdl;
using namespace satdl::test;
using Catch::Matchers::Contains;

TEST_CASE("A failed stage skips the stages that depend on it, and with keep_going the others still run") {
    World world;
    world.limits.keep_going = true;
    world.executor.scripts["b"] = [](const StageInputs&, StageContext&) -> StageOutput {
        throw Error(ExitCode::StageFailed, "the loss is not a number", "lower the learning rate");
    };
    Dag dag = DagBuilder()
                  .add("a", "read", {{"path", ConfigValue::of_text("one")}})
                  .add("b", "add", {}, {{"x", "a.out"}})
                  .add("c", "add", {}, {{"x", "b.out"}})
                  .add("d", "parity", {}, {{"x", "c.out"}})
                  .add("e", "parity", {}, {{"x", "a.out"}})
                  .build();
    const RunResult result = world.run(dag, any_jobs());
    CHECK(states(dag, result) == Names{"a ran: no result yet", "b failed: no result yet", "c skipped: needs b, which failed",
                                       "d skipped: needs b, which failed", "e ran: no result yet"});
    CHECK_THAT(result_of(dag, result, "b").error, Contains("the loss is not a number") && Contains("lower the learning rate"));
    CHECK(result.exit_code() == ExitCode::StageFailed);
    CHECK(world.store.keys().size() == 2);
}

TEST_CASE("Without keep_going no further stage starts after a failure, and finished stages are stored") {
    World world;
    world.executor.scripts["a"] = [](const StageInputs&, StageContext&) -> StageOutput { throw std::runtime_error("index 7"); };
    DagBuilder builder;
    builder.add("a", "make");
    for (int i = 0; i < 30; ++i) {
        builder.add(fmt::format("b{}", i), "add", {{"k", ConfigValue::of(std::int64_t{i})}},
                    {{"x", i == 0 ? std::string("a.out") : fmt::format("b{}.out", i - 1)}});
    }
    builder.add("c", "make", {{"k", ConfigValue::of(std::int64_t{2})}});
    builder.add("d", "parity", {}, {{"x", "c.out"}});
    const Dag dag = builder.build();
    const int jobs = GENERATE(0, 1);  // a has the longest path: it starts, and fails, first
    const RunResult result = world.run(dag, jobs);
    CHECK(result_of(dag, result, "c").because == "not started because a failed");
    CHECK(result_of(dag, result, "b29").because == "needs a, which failed");
    CHECK(world.executor.take_ran() == Names{"a"});
    CHECK(result_of(dag, result, "a").error == "index 7");
}

TEST_CASE("Any exception of a stage is reported as the failure of that stage") {
    World world;
    const int jobs = any_jobs();
    const auto message = [&](Script script) {
        world.executor.scripts["c"] = std::move(script);
        const Dag dag = chain();
        return result_of(dag, world.run(dag, jobs), "c").error;
    };
    CHECK(message([](const StageInputs&, StageContext&) -> StageOutput { throw std::bad_alloc(); }) ==
          "out of memory");
    CHECK(message([](const StageInputs&, StageContext&) -> StageOutput { throw 7; }) ==
          "it threw something that is not an exception");
    CHECK(message([](const StageInputs&, StageContext&) -> StageOutput {
              throw std::runtime_error("size mismatch\nException raised from here at there.cpp:1\nframe #0");
          }) == "size mismatch");
    CHECK_THAT(message([](const StageInputs&, StageContext&) { return StageOutput{}; }),
               Contains("do not match its description") && Contains("out"));
}

TEST_CASE("A transient failure is retried up to the limit, and every attempt is reported") {
    const int jobs = any_jobs();
    int calls = 0;
    Names log;
    const auto run = [&](int good_call, const std::function<void()>& failure) {
        World world;
        Dag dag = chain();
        dag.nodes[2].policy.retries = 2;
        calls = 0;
        world.executor.scripts["c"] = [&, good_call](const StageInputs& inputs, StageContext&) -> StageOutput {
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

TEST_CASE("After its timeout a stage is asked to stop and counts as failed, and the run continues") {
    World world;
    const int jobs = any_jobs();
    Dag dag = chain();
    dag.nodes[2].policy.timeout_seconds = 5;
    world.executor.scripts["c"] = [](const StageInputs&, StageContext& context) -> StageOutput {
        while (!context.stop_requested()) {
        }
        throw Stopped{};
    };
    const RunResult result = world.run(dag, jobs);
    CHECK(result_of(dag, result, "c").error == "it exceeded its timeout of 5 s and was stopped");
    CHECK_FALSE(result.stopped);
    CHECK(result.exit_code() == ExitCode::StageFailed);
}

TEST_CASE("After a stop request running stages are asked to stop, no further stage starts, and finished ones are stored") {
    World world;
    world.executor.scripts["b"] = [&](const StageInputs&, StageContext& context) -> StageOutput {
        world.stop = true;
        while (!context.stop_requested()) std::this_thread::yield();
        throw Stopped{};
    };
    const Dag dag = chain();
    const RunResult result = world.run(dag, any_jobs());
    CHECK(states(dag, result) == Names{"a ran: no result yet", "b stopped: no result yet", "c skipped: needs b, which was stopped"});
    CHECK(result.stopped);
    CHECK(world.store.keys().size() == 1);
    CHECK(world.executor.take_ran() == Names{"a", "b"});
}

TEST_CASE("A run that is stopped before it begins starts no stage and still reuses stored results") {
    World world;
    const Dag dag = chain();
    (void)world.run(dag, kSerial);
    world.store.erase(*make_plan(dag, {}, world.machine, world.cache).nodes[1].key);
    world.stop = true;
    const RunResult result = world.run(dag, any_jobs());
    CHECK(states(dag, result)[0] == "a reused: nothing changed");
    CHECK(states(dag, result)[1] == "b skipped: the run was stopped before it could start");
    CHECK(states(dag, result)[2] == "c skipped: the run was stopped before it could start");
}
