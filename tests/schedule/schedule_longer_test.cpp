#include "world.h"

using namespace satdl;
using namespace satdl::test;
using Catch::Matchers::Contains;

namespace {

// So many epochs of ten steps, one number a step; says where it began.
Script walking(std::int64_t& began_at) {
    return [&began_at](const StageInputs&, StageContext& context) {
        const std::int64_t epochs = context.params().integer("steps");
        Numbers numbers;
        if (const NamedArrays* state = context.checkpoint()) numbers = as_numbers(*state);
        began_at = static_cast<std::int64_t>(numbers.size());
        while (std::ssize(numbers) < epochs) numbers.push_back(3 * std::ssize(numbers));
        context.keep_final_checkpoint(as_group(numbers), {.epoch = epochs, .epochs = epochs, .step = 10, .steps = 10, .epoch_ended = true, .metrics = {}});
        return StageOutput{{{"out", as_group(numbers)}}, {}};
    };
}

Dag walk(std::int64_t steps, const std::string& way = "common") {
    return DagBuilder().add("w", "walk", {{"steps", ConfigValue::of(steps)}, {"way", ConfigValue::of_text(way)}}).build();
}

}  // namespace

TEST_CASE("A longer training continues from the final checkpoint of a shorter one and gives the bytes of an unbroken one") {
    World world, alone;
    const int jobs = any_jobs();
    std::int64_t began_at = -1;
    world.executor.scripts["w"] = alone.executor.scripts["w"] = walking(began_at);
    (void)world.run(walk(2), jobs);
    CHECK(began_at == 0);
    const RunResult longer = world.run(walk(5), jobs);
    CHECK(began_at == 2);
    const NodeResult& w = longer.nodes[0];
    CHECK(w.because == "from step 2 of 5 (final checkpoint of a shorter training)");
    CHECK(state_word(w) == "resumed");
    CHECK(w.resumed_from == "the end of epoch 2, 40 %");
    CHECK(w.outputs == alone.run(walk(5), jobs).nodes[0].outputs);

    (void)world.run(walk(9), jobs);
    CHECK(began_at == 5);
    (void)world.run(walk(4), jobs);  // shorter than some: from the longest that it passes
    CHECK(began_at == 2);
    (void)world.run(walk(9), jobs, {.force = true});
    CHECK(began_at == 0);
    (void)world.run(walk(9, "own"), jobs);
    CHECK(began_at == 0);
}

TEST_CASE("A final checkpoint that cannot be stored is reported, and the stage's output is stored all the same") {
    World world;
    std::int64_t began_at = -1;
    world.final_checkpoints.full = true;
    world.executor.scripts["w"] = walking(began_at);
    CHECK(world.run(walk(2), any_jobs()).exit_code() == ExitCode::Done);
    REQUIRE(world.observer.log.size() == 1);
    CHECK_THAT(world.observer.log[0], Contains("w warning: could not write its final checkpoint, so a longer training will start over"));
}
