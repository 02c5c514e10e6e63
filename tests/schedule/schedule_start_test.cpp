// Where a stage starts: what the plan says is what the attempt does.
#include "world.h"

using namespace satdl;
using namespace satdl::test;
using Catch::Matchers::Contains;

namespace {

constexpr std::int64_t kEpochs = 5;

Numbers walked(std::int64_t epochs) {
    Numbers numbers;
    for (std::int64_t epoch = 0; epoch < epochs; ++epoch) numbers.push_back(3 * epoch);
    return numbers;
}

// So many epochs, one number each; says where each attempt began. The first `failures` attempts throw, after they have kept a checkpoint at
// `failing_at` (0: none).
struct Walking {
    Numbers began_at;
    int failures = 0;
    std::int64_t failing_at = 0;

    StageOutput operator()(StageContext& context) {
        const NamedArrays* const state = context.checkpoint();
        began_at.push_back(state == nullptr ? 0 : std::ssize(as_numbers(*state)));
        if (std::ssize(began_at) <= failures) {
            const Progress at{.epoch = failing_at, .epochs = kEpochs, .step = 10, .steps = 10, .epoch_ended = true, .metrics = {}};
            if (failing_at > 0) context.keep_checkpoint(as_group(walked(failing_at)), at);
            throw std::runtime_error("no luck");
        }
        context.keep_final_checkpoint(as_group(walked(kEpochs)), {.epoch = kEpochs, .epochs = kEpochs, .step = 10, .steps = 10, .epoch_ended = true, .metrics = {}});
        return StageOutput{{{"out", as_group(walked(kEpochs))}}, {}};
    }
};

Dag walk() { return DagBuilder().add("w", "walk", {{"steps", ConfigValue::of(kEpochs)}}).build(); }

// A world with checkpoints of the walk and final ones of shorter walks, after so many epochs each.
struct WalkWorld : World {
    WalkWorld() {
        executor.scripts["w"] = [this](const StageInputs&, StageContext& context) { return walking(context); };
    }
    void prepare(const Numbers& own, const Numbers& final_ones) {
        const Plan plan = make_plan(dag, {}, machine, cache);
        const Recipe recipe = *plan.nodes[0].recipe;
        const Continuation continuation = *continuation_of(dag.nodes[0], recipe);
        for (const std::int64_t epoch : own) checkpoints.write(recipe, key_of(recipe), {epoch, kEpochs, 10, 10}, as_group(walked(epoch)));
        for (const std::int64_t epoch : final_ones) {
            final_checkpoints.write(continuation.base_recipe, key_of(recipe), {epoch, epoch, 10, 10}, as_group(walked(epoch)));
        }
    }
    Dag dag = walk();
    Walking walking;
};

Numbers epochs_in(unsigned bits) {
    Numbers epochs;
    for (std::int64_t epoch = 1; epoch <= 3; ++epoch) {
        if ((bits >> (epoch - 1) & 1) != 0) epochs.push_back(epoch);
    }
    return epochs;
}

std::set<std::int64_t> as_set(const Numbers& numbers) { return {numbers.begin(), numbers.end()}; }

// The farthest that is not damaged; 0: the beginning.
std::int64_t farthest_sound(unsigned own, unsigned damaged_own, unsigned final_ones, unsigned damaged_final) {
    const unsigned sound = (own & ~damaged_own) | (final_ones & ~damaged_final);
    const Numbers epochs = epochs_in(sound);
    return epochs.empty() ? 0 : epochs.back();
}

}  // namespace

TEST_CASE("A stage starts where the plan says, whatever checkpoints there are") {
    const int jobs = any_jobs();
    for (unsigned own = 0; own < 8; ++own) {
        for (unsigned final_ones = 0; final_ones < 8; ++final_ones) {
            WalkWorld world;
            world.prepare(epochs_in(own), epochs_in(final_ones));
            const PlannedNode planned = make_plan(world.dag, {}, world.machine, world.cache).nodes[0];
            const RunResult result = world.run(world.dag, jobs);
            INFO("own " << own << ", final " << final_ones << ": " << planned.because);
            const NodeResult& w = result.nodes[0];
            REQUIRE(world.walking.began_at.size() == 1);
            CHECK(world.walking.began_at[0] == (planned.starts_from ? planned.starts_from->epoch : 0));
            CHECK(world.walking.began_at[0] == farthest_sound(own, 0, final_ones, 0));
            CHECK((planned.action == Action::Run) == !planned.starts_from);
            CHECK(w.because == planned.because);
            CHECK(w.resumed_from == (planned.starts_from ? planned.starts_from->text() : ""));
            CHECK(world.observer.log.empty());
        }
    }
}

TEST_CASE("If the planned checkpoint is damaged, the stage starts at the farthest undamaged one, and the damage is reported") {
    std::size_t wrong = 0, told = 0;
    for (unsigned bits = 0; bits < 1u << 12; ++bits) {
        const unsigned own = bits & 7, damaged_own = bits >> 3 & 7, final_ones = bits >> 6 & 7, damaged_final = bits >> 9 & 7;
        if ((damaged_own & ~own) != 0 || (damaged_final & ~final_ones) != 0) continue;
        WalkWorld world;
        world.prepare(epochs_in(own), epochs_in(final_ones));
        world.checkpoints.damaged_epochs = as_set(epochs_in(damaged_own));
        world.final_checkpoints.damaged_epochs = as_set(epochs_in(damaged_final));
        (void)world.run(world.dag, kSerial);
        if (world.walking.began_at != Numbers{farthest_sound(own, damaged_own, final_ones, damaged_final)}) ++wrong;
        if (!world.observer.log.empty()) ++told;
    }
    CHECK(wrong == 0);
    CHECK(told > 100);
}

TEST_CASE("A retry starts at the checkpoint of the previous attempt, or else where the plan says") {
    const int jobs = any_jobs();
    WalkWorld world;
    world.dag.nodes[0].policy.retries = 2;
    world.walking.failures = 2;
    world.prepare({}, {2});
    SECTION("a checkpoint that is farther") {
        world.walking.failing_at = 4;
        (void)world.run(world.dag, jobs);
        CHECK(world.walking.began_at == Numbers{2, 4, 4});
    }
    SECTION("none") {
        (void)world.run(world.dag, jobs);
        CHECK(world.walking.began_at == Numbers{2, 2, 2});
    }
}

TEST_CASE("No attempt of a forced stage starts at a checkpoint of another run") {
    const int jobs = any_jobs();
    WalkWorld world;
    world.dag.nodes[0].policy.retries = 2;
    world.walking.failures = 2;
    world.prepare({3}, {2});
    SECTION("its own attempts kept none") {
        (void)world.run(world.dag, jobs, {.force = true});
        CHECK(world.walking.began_at == Numbers{0, 0, 0});
    }
    SECTION("its own attempts kept one") {
        world.walking.failing_at = 1;
        (void)world.run(world.dag, jobs, {.force = true});
        CHECK(world.walking.began_at == Numbers{0, 1, 1});
    }
}

TEST_CASE("A stage that reruns because its artifact was damaged starts at its own final checkpoint") {
    const int jobs = any_jobs();
    WalkWorld world;
    const auto with_reader = [](std::int64_t k) {
        return DagBuilder()
            .add("w", "walk", {{"steps", ConfigValue::of(kEpochs)}})
            .add("p", "add", {{"k", ConfigValue::of(k)}}, {{"x", "w.out"}})
            .build();
    };
    const RunResult before = world.run(with_reader(1), jobs);
    world.store.damaged = {*before.nodes[0].key};
    const RunResult after = world.run(with_reader(2), jobs);
    CHECK(after.exit_code() == ExitCode::Done);
    CHECK_THAT(after.nodes[0].because, Contains("its artifact was damaged"));
    CHECK(after.nodes[0].outputs == before.nodes[0].outputs);
    CHECK(world.walking.began_at == Numbers{0, kEpochs});
}
