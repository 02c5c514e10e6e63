#include "pipeline/run/attempt_checkpoints.h"

#include "world.h"

using namespace satdl;
using namespace satdl::test;
using Catch::Matchers::Contains;

namespace {

// Counts to ten, a step each, and stops where it is asked to.
Script counting(std::atomic<bool>& stop, std::int64_t stop_at) {
    return [&stop, stop_at](const StageInputs&, StageContext& context) {
        std::int64_t count = 0;
        if (const NamedArrays* state = context.checkpoint()) count = as_numbers(*state).front();
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
        return StageOutput{{{"out", as_group({count})}}, {}};
    };
}

}  // namespace

TEST_CASE("A stopped stage resumes from its checkpoint, which is removed when its output is stored") {
    World world;
    const int jobs = any_jobs();
    const Dag dag = chain();
    world.executor.scripts["b"] = counting(world.stop, 4);
    const RunResult stopped = world.run(dag, jobs);
    const NodeResult& b = result_of(dag, stopped, "b");
    CHECK(b.state == NodeState::Stopped);
    CHECK(world.checkpoints.newest(*b.key)->step == 4);

    world.stop = false;
    const Plan plan = make_plan(dag, {}, world.machine, world.cache);
    CHECK(plan.nodes[1].action == Action::Resume);
    CHECK(plan.nodes[1].because == "interrupted at epoch 1, step 4, 40 %");
    world.executor.scripts["b"] = counting(world.stop, -1);
    const RunResult resumed = world.run(dag, jobs);
    CHECK(result_of(dag, resumed, "b").state == NodeState::Ran);
    CHECK(state_word(result_of(dag, resumed, "b")) == "resumed");
    CHECK(result_of(dag, resumed, "b").resumed_from == "epoch 1, step 4, 40 %");
    CHECK(state_word(result_of(dag, resumed, "c")) == "ran");
    CHECK(world.checkpoints.count(*b.key) == 0);
}

TEST_CASE("A forced stage starts over, and a stage that reads no checkpoint is not reported as resumed") {
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
            return StageOutput{{{"out", as_group({10})}}, {}};
        };
        CHECK(state_word(result_of(dag, world.run(dag, jobs, {.targets = {"b"}, .force = true}), "b")) == "ran");
        CHECK(anew);
    }
    SECTION("not asked for") {
        world.executor.scripts["b"] = [](const StageInputs&, StageContext&) { return StageOutput{{{"out", as_group({10})}}, {}}; };
        CHECK(state_word(result_of(dag, world.run(dag, jobs), "b")) == "ran");
    }
}

TEST_CASE("A checkpoint that cannot be stored is reported, and the stage continues") {
    World world;
    world.checkpoints.full = true;
    world.executor.scripts["b"] = [](const StageInputs&, StageContext& context) {
        context.keep_checkpoint(as_group({1}), {.epoch = 1, .epochs = 1, .step = 1, .steps = 10, .metrics = {}});
        return StageOutput{{{"out", as_group({10})}}, {}};
    };
    const Dag dag = chain();
    CHECK(world.run(dag, any_jobs()).exit_code() == ExitCode::Done);
    REQUIRE(world.observer.log.size() == 1);
    CHECK_THAT(world.observer.log[0], Contains("b warning: could not write a checkpoint at epoch 1, step 1, 10 %"));
}

TEST_CASE("Checkpoints take at most a hundredth of a stage's time") {
    struct OwnClock final : Clock {
        double now = 0;
        double seconds() override { return now; }
    };
    struct SlowCheckpoints final : CheckpointStore {
        explicit SlowCheckpoints(OwnClock& at) : clock(at) {}
        std::optional<CheckpointPosition> newest(const Digest&, std::int64_t) override { return std::nullopt; }
        std::optional<Checkpoint> load(const Digest&, std::vector<std::string>&, std::int64_t) override { return std::nullopt; }
        void write(const Recipe&, const Digest&, const CheckpointPosition&, const NamedArrays&) override { clock.now += 2; }
        void remove(const Digest&) override {}
        OwnClock& clock;
    };
    World world;
    const Dag dag = chain();
    const Plan plan = make_plan(dag, {}, world.machine, world.cache);
    OwnClock clock;
    SlowCheckpoints slow(clock);
    const RunContext run{.dag = dag, .plan = plan, .machine = world.machine, .store = world.store, .cache = world.cache,
                         .executor = world.executor, .observer = world.observer, .clock = clock, .stop = world.stop, .checkpoints = &slow};
    AttemptCheckpoints checkpoints(run, plan.nodes[0]);
    CHECK_FALSE(checkpoints.due(true));
    clock.now = 2;
    CHECK(checkpoints.due(true));         // the end of an epoch
    CHECK_FALSE(checkpoints.due(false));  // within one: every 60 seconds
    clock.now = 60;
    CHECK(checkpoints.due(false));
    CHECK(checkpoints.keep(as_group({1}), {}).empty());  // takes two seconds
    clock.now += 399;
    CHECK_FALSE(checkpoints.due(true));
    clock.now += 1;
    CHECK(checkpoints.due(true));
    CHECK(checkpoints.due(false));
}

TEST_CASE("The error of a stage that keeps checkpoints names the last one") {
    World world;
    const int jobs = any_jobs();
    std::int64_t steps = 4;
    world.executor.scripts["b"] = [&](const StageInputs&, StageContext& context) -> StageOutput {
        static_cast<void>(context.checkpoint());
        if (steps > 0) context.keep_checkpoint(as_group({steps}), {.epoch = 1, .epochs = 1, .step = steps, .steps = 10, .metrics = {}});
        throw Error(ExitCode::StageFailed, "the loss is nan");
    };
    const Dag dag = chain();
    CHECK_THAT(result_of(dag, world.run(dag, jobs), "b").error,
               Contains("the loss is nan") && Contains("\n  its last good checkpoint is at epoch 1, step 4, 40 %: the next run resumes there"));
    steps = 0;
    CHECK_THAT(result_of(dag, world.run(dag, jobs), "b").error, Contains("its last good checkpoint is at epoch 1, step 4, 40 %"));
    CHECK_THAT(result_of(dag, world.run(dag, jobs, {.targets = {"b"}, .force = true}), "b").error,
               Contains("it has no checkpoint: the next run starts over"));
}
