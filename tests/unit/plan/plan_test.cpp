#include "pipeline/plan/machine.h"
#include "pipeline/plan/plan.h"
#include "pipeline/plan/run_state.h"
#include "pipeline/store/memory_store.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "tests/support/memory_checkpoints.h"
#include "tests/support/tiny_stages.h"

using namespace satdl;
using namespace satdl::test;
using Catch::Matchers::Contains;

namespace {

const ConfigValue k1 = ConfigValue::of(std::int64_t{1});
const ConfigValue k2 = ConfigValue::of(std::int64_t{2});

// a (a file) -> b -> c, and a -> d; e alone.
DagBuilder small(const ConfigValue& k = k1, const std::string& path = "one") {
    return DagBuilder()
        .add("a", "read", {{"path", ConfigValue::of_text(path)}})
        .add("b", "add", {{"k", k}}, {{"x", "a.out"}})
        .add("c", "coarse", {}, {{"x", "b.out"}})
        .add("d", "parity", {}, {{"x", "a.out"}})
        .add("e", "make", {{"k", k1}});
}

struct World {
    Files files{{"one", {1, 2, 3}}};
    MemoryStore store;
    MemoryCheckpoints checkpoints{Retention::LastTwo};
    MemoryCheckpoints final_checkpoints{Retention::First};
    TinyCacheView cache{store, files, &checkpoints, &final_checkpoints};
    TinyExecutor executor{files};
    Machine machine{4, "AVX2"};
    std::atomic<bool> stop{false};

    Plan plan(const Dag& dag, const Request& request = {}) { return make_plan(dag, request, machine, cache); }
    void run(const Dag& dag, const Request& request = {}) {
        const Plan made = plan(dag, request);
        Observer silent;
        TickingClock clock;
        const RunResult result = run_serially({.dag = dag, .plan = made, .machine = machine, .store = store, .cache = cache,
                                               .executor = executor, .observer = silent, .clock = clock, .stop = stop});
        REQUIRE(result.exit_code() == ExitCode::Done);
        cache.remember(dag, result);
    }
    // "run b: no result yet", one line a node.
    std::vector<std::string> lines(const Dag& dag, const Request& request = {}) {
        std::vector<std::string> made;
        for (const PlannedNode& planned : plan(dag, request).nodes) {
            made.push_back(fmt::format("{} {}: {}", name_of(planned.action), dag.nodes[planned.node].name, planned.because));
        }
        return made;
    }
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("On a first run every stage without inputs runs, and the stages that depend on them are unknown") {
    World world;
    CHECK(world.lines(small().build()) == Lines{"run a: no result yet", "unknown b: depends on a, which runs",
                                               "unknown c: depends on a, which runs", "unknown d: depends on a, which runs",
                                               "run e: no result yet"});
}

TEST_CASE("After a complete run every stage is reused") {
    World world;
    const Dag dag = small().build();
    world.run(dag);
    CHECK(world.lines(dag) == Lines{"reuse a: nothing changed", "reuse b: nothing changed", "reuse c: nothing changed",
                                    "reuse d: nothing changed", "reuse e: nothing changed"});
    CHECK(world.plan(dag).expected_seconds() == 0.0);
}

TEST_CASE("A changed parameter runs its stage, says so, and leaves what does not depend on it alone") {
    World world;
    world.run(small(k1).build());
    CHECK(world.lines(small(k2).build()) == Lines{"reuse a: nothing changed", "run b: k: 1 -> 2",
                                                 "unknown c: depends on b, which runs: k: 1 -> 2",
                                                 "reuse d: nothing changed", "reuse e: nothing changed"});
}

TEST_CASE("A parameter that is changed back reuses the earlier artifact") {
    World world;
    world.run(small(k1).build());
    world.run(small(k2).build());
    CHECK(world.lines(small(k1).build())[1] == "reuse b: found in the store, made by another run");
}

TEST_CASE("A changed file reruns the stage that reads it, and a renamed file does not") {
    World world;
    world.run(small().build());
    world.files["copy"] = world.files["one"];
    CHECK(world.lines(small(k1, "copy").build())[0] == "reuse a: nothing changed");
    world.files["one"][1] = 7;
    CHECK(world.lines(small().build())[0] == "run a: file path changed");
}

TEST_CASE("A missing artifact is recomputed") {
    World world;
    const Dag dag = small().build();
    world.run(dag);
    world.store.erase(*world.plan(dag).nodes[1].key);
    const Lines lines = world.lines(dag);
    CHECK(lines[1] == "run b: its artifact is missing from the store");
    CHECK(lines[2] == "unknown c: depends on b, which runs");
}

TEST_CASE("An unknown node is reused if its inputs have the same bytes, and runs if not") {
    World world;
    const Dag dag = small().build();
    world.run(dag);
    const auto digests = world.plan(dag).nodes[1].outputs;
    world.store.erase(*world.plan(dag).nodes[1].key);
    PlannedNode c = world.plan(dag).nodes[2];
    REQUIRE(c.action == Action::Unknown);
    SECTION("the same") {
        decide(dag, c, {digests->at("out")}, world.machine, world.cache);
        CHECK(c.action == Action::Reuse);
        CHECK(c.because == "its inputs are unchanged");
        CHECK(c.outputs.has_value());
    }
    SECTION("others") {
        decide(dag, c, {sha256("others")}, world.machine, world.cache);
        CHECK(c.action == Action::Run);
        CHECK(c.because == "input x changed");
        CHECK(c.key == key_of(*c.recipe));
    }
}

TEST_CASE("The reason of a changed input is the change upstream that caused it") {
    World world;
    const auto dag = [](std::int64_t k, std::int64_t last) {
        return DagBuilder()
            .add("a", "read", {{"path", ConfigValue::of_text("one")}})
            .add("b", "add", {{"k", ConfigValue::of(k)}}, {{"x", "a.out"}})
            .add("c", "add", {{"k", ConfigValue::of(last)}}, {{"x", "b.out"}})
            .add("d", "add", {}, {{"x", "c.out"}})
            .build();
    };
    world.run(dag(1, 1));
    const Dag same = dag(1, 1), changed = dag(1, 3);
    PlannedNode d = world.plan(same).nodes[3];
    const std::vector<Cause> causes{{1, "k: 1 -> 2"}, {2, "k: 1 -> 3"}};
    decide(same, d, {sha256("others")}, world.machine, world.cache, {causes});
    CHECK(d.because == "k: 1 -> 2 (in b), k: 1 -> 3 (in c)");
    CHECK(d.causes == causes);
    PlannedNode c = world.plan(changed).nodes[2];
    decide(changed, c, {sha256("others")}, world.machine, world.cache, {{{1, "k: 1 -> 2"}}});
    CHECK(c.because == "k: 1 -> 3, k: 1 -> 2 (in b)");
    decide(changed, c, {sha256("others")}, world.machine, world.cache, {{{0, "its file changed"}, {1, "k: 1 -> 2"}, {1, "l: 1 -> 2"}}});
    CHECK(c.because == "k: 1 -> 3, its file changed (in a), and 2 other changes");
}

TEST_CASE("A stage's own change is said beside that of the stage on which it depends") {
    World world;
    world.run(small(k1).build());
    world.files["one"][1] = 7;
    CHECK(world.lines(small(k2).build()) == Lines{"run a: file path changed",
                                                  "unknown b: k: 1 -> 2; depends on a, which runs: file path changed",
                                                  "unknown c: depends on a, which runs: file path changed",
                                                  "unknown d: depends on a, which runs: file path changed", "reuse e: nothing changed"});
}

TEST_CASE("Targets bring the stages that they need, and no others") {
    World world;
    CHECK(world.lines(small().build(), {.targets = {"d"}}) == Lines{"run a: no result yet", "unknown d: depends on a, which runs"});
    const Dag grouped = DagBuilder().add("a@1", "make").add("a@2", "make", {{"k", k2}}).add("b", "make").build();
    CHECK(world.lines(grouped, {.targets = {"a"}}) == Lines{"run a@1: no result yet", "run a@2: no result yet"});
}

TEST_CASE("Downstream takes in what depends on a stage, and what that needs") {
    World world;
    const Dag dag = DagBuilder()
                        .add("a", "make")
                        .add("b", "make", {{"k", k2}})
                        .add("c", "add", {}, {{"x", "a.out"}, {"y", "b.out"}})
                        .add("d", "parity", {}, {{"x", "c.out"}})
                        .add("e", "parity", {}, {{"x", "b.out"}})
                        .build();
    CHECK(world.lines(dag, {.downstream = {"a"}}) == Lines{"run a: no result yet", "run b: no result yet",
                                                           "unknown c: depends on a, which runs",
                                                          "unknown d: depends on a, which runs"});
}

TEST_CASE("Force runs the named stages alone, or all where none is named") {
    World world;
    const Dag dag = small().build();
    world.run(dag);
    CHECK(world.lines(dag, {.targets = {"b"}, .force = true}) == Lines{"reuse a: nothing changed", "run b: forced"});
    for (const PlannedNode& planned : world.plan(dag, {.force = true}).nodes) {
        CHECK(planned.action == Action::Run);
        CHECK(planned.because == "forced");
    }
}

TEST_CASE("A single stage takes its inputs from the store") {
    World world;
    world.run(small(k1).build());
    CHECK(world.lines(small(k2).build(), {.single = {"b"}}) == Lines{"reuse a: nothing changed", "run b: k: 1 -> 2"});
    CHECK(world.lines(small(k1).build(), {.single = {"c"}, .force = true}) ==
          Lines{"reuse a: nothing changed", "reuse b: nothing changed", "run c: forced"});
}

TEST_CASE("A single stage without its input in the store is blocked, with what to do") {
    World world;
    world.run(small(k1).build());
    const Dag dag = small(k2).build();
    CHECK(world.lines(dag, {.single = {"c"}}) ==
          Lines{"reuse a: nothing changed",
                "blocked c: its input x comes from b, which has not been run with these parameters: leave out -s, or run it first"});
    CHECK(world.plan(dag, {.single = {"c"}}).blocked());
}

TEST_CASE("Single stages may follow each other, but not with a stage between them that may have to run") {
    World world;
    world.run(small(k1).build());
    const Dag dag = small(k2).build();
    CHECK(world.lines(dag, {.single = {"b", "c"}}) ==
          Lines{"reuse a: nothing changed", "run b: k: 1 -> 2", "unknown c: depends on b, which runs: k: 1 -> 2"});
    const Dag longer = small(k2).add("f", "parity", {}, {{"x", "c.out"}}).build();
    CHECK(world.lines(longer, {.single = {"b", "f"}})[2] ==
          "blocked f: its input x comes from c, which may have to run again after b: leave out -s, or name it too");
}

TEST_CASE("Targets that do not exist are reported all at once, with suggestions") {
    World world;
    try {
        (void)world.plan(DagBuilder().add("noisy", "make").add("m1", "make").build(), {.targets = {"nosiy"}, .single = {"zzzzzz"}});
        FAIL("they do not exist");
    } catch (const Error& error) {
        CHECK(error.code() == ExitCode::Usage);
        CHECK_THAT(error.what(), Contains("there is no stage 'nosiy' in tiny") && Contains("did you mean 'noisy'?") &&
                                     Contains("'zzzzzz'"));
    }
}

TEST_CASE("Source files that are missing or altered are reported all at once") {
    World world;
    Dag dag = small()
                  .add("f", "read", {{"path", ConfigValue::of_text("nowhere")}})
                  .add("g", "read", {{"path", ConfigValue::of_text("images")}})
                  .build();
    world.files["images"] = {1};
    dag.nodes[6].files[0].dataset = "mnist";
    dag.nodes[6].files[0].expected = sha256("what was published");
    try {
        (void)world.plan(dag);
        FAIL("two files are bad");
    } catch (const Error& error) {
        CHECK(error.code() == ExitCode::Store);
        CHECK(error.diagnostics().size() == 2);
        CHECK_THAT(error.what(), Contains("nowhere: no such file"));
        CHECK_THAT(error.what(), Contains("images (dataset mnist)") && Contains("expected SHA-256 " + sha256("what was published").hex()) &&
                                     Contains("found    SHA-256 ") && Contains("run `satdl data fetch mnist`"));
    }
    // The others can still be planned.
    CHECK(world.plan(dag, {.targets = {"c"}}).nodes.size() == 3);
}

TEST_CASE("A file that many stages read is hashed once") {
    struct Counting final : TinyCacheView {
        using TinyCacheView::TinyCacheView;
        int asked = 0;
        Digest file_digest(const SourceFile& file) override { return ++asked, TinyCacheView::file_digest(file); }
    };
    World world;
    Counting cache(world.store, world.files);
    DagBuilder builder;
    for (int i = 0; i < 10; ++i) builder.add(fmt::format("a{}", i), "read", {{"path", ConfigValue::of_text("one")}});
    (void)make_plan(builder.build(), {}, world.machine, cache);
    CHECK(cache.asked == 1);
}

TEST_CASE("If all keys are those of the last run, no stage's own history is read, and the plan is the same") {
    struct Remembering final : TinyCacheView {
        using TinyCacheView::TinyCacheView;
        Digest state;
        int asked = 0;
        std::optional<PreviousRun> previous_run(const Node& node) override { return ++asked, TinyCacheView::previous_run(node); }
        bool is_state_of_last_run(const Digest& now) override { return now == state; }
    };
    World world;
    Remembering cache(world.store, world.files);
    const auto run = [&](const Dag& dag) {
        Observer silent;
        TickingClock clock;
        const Plan plan = make_plan(dag, {}, world.machine, cache);
        const RunResult result = run_serially({.dag = dag, .plan = plan, .machine = world.machine, .store = world.store, .cache = cache,
                                               .executor = world.executor, .observer = silent, .clock = clock, .stop = world.stop});
        cache.remember(dag, result);
        RunState state;
        for (const NodeResult& node : result.nodes) state.add(dag.nodes[node.node].name, *node.key);
        cache.state = state.finish();
    };
    const auto plan_text = [&](const Dag& dag, const Request& request = {}) { return to_text(make_plan(dag, request, world.machine, cache), dag); };
    // The same where the state is unknown, so that every history is read.
    const auto check_same = [&](const Dag& dag, const Request& request = {}) {
        const std::string text = plan_text(dag, request);
        const Digest state = std::exchange(cache.state, Digest{});
        CHECK(plan_text(dag, request) == text);
        cache.state = state;
        return text;
    };
    const Dag one = small(k1).build(), two = small(k2).build();
    run(one);
    cache.asked = 0;
    CHECK_THAT(plan_text(one), Contains("nothing changed"));
    CHECK(cache.asked == 0);
    CHECK_THAT(check_same(one), !Contains("another run"));
    CHECK(cache.asked == 5);
    CHECK_THAT(check_same(two), Contains("k: 1 -> 2"));
    run(two);
    CHECK_THAT(check_same(one), Contains("b  found in the store, made by another run") && Contains("a  nothing changed"));
    CHECK_THAT(check_same(two, {.targets = {"b"}}), Contains("b  nothing changed"));
    CHECK_THAT(check_same(two, {.single = {"d"}}), Contains("d  nothing changed"));
    CHECK_THAT(check_same(one, {.targets = {"b"}, .force = true}), Contains("forced"));
    world.store.erase(*make_plan(one, {}, world.machine, cache).nodes[1].key);
    CHECK_THAT(check_same(one), Contains("run       b  k: 2 -> 1"));
}

TEST_CASE("Expected seconds are the history's, their sum is known where all of them are") {
    World world;
    const Dag dag = small(k1).build();
    CHECK_FALSE(world.plan(dag).expected_seconds().has_value());
    for (const char* kind : {"read", "add", "coarse", "parity", "make"}) world.cache.expect(kind, 1.5);
    CHECK(world.plan(dag).expected_seconds() == 7.5);
    world.run(dag);
    CHECK(world.plan(dag).expected_seconds() == 0.0);
}

TEST_CASE("The plan as text: action, name, because and expected seconds in columns") {
    World world;
    world.cache.expect("coarse", 12.4);
    world.cache.expect("add", 0.25);
    world.run(small(k1).build());
    const Dag dag = DagBuilder()
                        .add("a", "read", {{"path", ConfigValue::of_text("one")}})
                        .add("longer", "add", {{"k", k1}}, {{"x", "a.out"}})
                        .add("c", "coarse", {{"k", k2}}, {{"x", "longer.out"}})
                        .build();
    CHECK(to_text(world.plan(dag), dag) ==
          "reuse     a       nothing changed\n"
          "reuse     longer  found in the store, made by another run\n"
          "run       c       k: 0 -> 2 (about 0.5 s)\n");
}

namespace {

Dag walk(std::int64_t steps, const std::string& way = "common", std::int64_t k = 1) {
    return DagBuilder()
        .add("w", "walk", {{"steps", ConfigValue::of(steps)}, {"way", ConfigValue::of_text(way)}, {"k", ConfigValue::of(k)}})
        .build();
}

// As if such a walk, asked for `steps`, had ended after `reached`.
void keep_final_checkpoint(World& world, const Dag& dag, std::int64_t reached) {
    const Plan plan = world.plan(dag);
    const auto continuation = continuation_of(dag.nodes[0], *plan.nodes[0].recipe);
    REQUIRE(continuation);
    world.final_checkpoints.write(continuation->base_recipe, *plan.nodes[0].key, {reached, continuation->target, 10, 10},
                                  as_group({reached}));
}

}  // namespace

TEST_CASE("A longer training continues from the farthest matching final checkpoint, and the plan says from where") {
    World world;
    keep_final_checkpoint(world, walk(2), 2);
    keep_final_checkpoint(world, walk(20), 20);
    CHECK(world.lines(walk(50)) == Lines{"continue w: from step 20 of 50 (final checkpoint of a shorter training)"});
    CHECK(world.lines(walk(20)) == Lines{"continue w: from step 20 of 20 (its own final checkpoint)"});
    CHECK(world.lines(walk(19)) == Lines{"continue w: from step 2 of 19 (final checkpoint of a shorter training)"});
    CHECK(world.lines(walk(1)) == Lines{"run w: no result yet"});
    CHECK(world.lines(walk(50, "common", 2)) == Lines{"run w: no result yet"});  // another way
    CHECK(world.lines(walk(50), {.force = true}) == Lines{"run w: forced"});
    CHECK(world.plan(walk(50)).nodes[0].starts_from == CheckpointPosition{20, 50, 10, 10});

    keep_final_checkpoint(world, walk(30), 7);  // one that ended before its goal
    CHECK(world.lines(walk(10)) == Lines{"continue w: from step 7 of 10 (final checkpoint of a longer training that stopped there)"});
}

TEST_CASE("Of a checkpoint and a final checkpoint the farther one is used") {
    World world;
    keep_final_checkpoint(world, walk(20), 20);
    const Dag dag = walk(50);
    const Recipe recipe = *world.plan(dag).nodes[0].recipe;
    world.checkpoints.write(recipe, key_of(recipe), {7, 50, 3, 10}, as_group({7}));
    CHECK(world.lines(dag) == Lines{"continue w: from step 20 of 50 (final checkpoint of a shorter training)"});
    world.checkpoints.write(recipe, key_of(recipe), {21, 50, 3, 10}, as_group({21}));
    CHECK(world.lines(dag) == Lines{"resume w: interrupted at epoch 21, step 3, 41 %"});
}

TEST_CASE("The plan says why a longer training starts over") {
    World world;
    world.run(walk(2, "own"));
    CHECK(world.lines(walk(4, "own")) == Lines{"run w: steps: 2 -> 4; from the start: way own depends on steps"});
    CHECK(world.lines(walk(1, "own")) == Lines{"run w: steps: 2 -> 1"});
    CHECK(world.lines(walk(4, "own", 2)) == Lines{"run w: k: 1 -> 2, steps: 2 -> 4"});
    world.run(walk(2));
    CHECK(world.lines(walk(4)) == Lines{"run w: steps: 2 -> 4; from the start: there is no final checkpoint of the shorter training"});
}

TEST_CASE("The expected seconds of a continued training are those of the remaining epochs") {
    World world;
    world.run(walk(2));
    keep_final_checkpoint(world, walk(2), 2);
    CHECK(world.plan(walk(4)).expected_seconds() == 0.5);  // as long as the first half, which took half a second
}

TEST_CASE("Planning twice gives the same plan and changes nothing in the store") {
    World world;
    world.run(small(k1).build());
    const Dag dag = small(k2).build();
    const std::string first = to_text(world.plan(dag), dag);
    CHECK(to_text(world.plan(dag), dag) == first);
    CHECK(world.store.keys().size() == 5);
}
