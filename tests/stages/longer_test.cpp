// A training that begins where a shorter one ended has the bytes of one that began at the start, in every output; and it takes no step
// that the shorter one took.
#include "torch_test.h"

#include <cmath>
#include <set>

#include "pipeline/plan/continuation.h"
#include "trainings.h"

using namespace satdl;
using namespace satdl::stages;

namespace {

struct Ended {
    StageOutput outcome;
    std::optional<KeepingContext::State> end;
    std::int64_t steps = 0;
};

Ended trained(const Training& training, std::int64_t epochs, const std::optional<KeepingContext::State>& begin_at = {}) {
    const Given longer = with(training, {{"epochs", std::to_string(epochs)}}).given;
    const TestContext given(training.stage.description, longer);
    KeepingContext context(given);
    if (begin_at) context.begin_at = begin_at->state;
    Ended ended{training.stage.run(training.inputs, context), {}, 0};
    ended.end = std::move(context.end);
    ended.steps = context.steps;
    return ended;
}

// Through 1, 2 and 5 epochs, each from where the one before it ended.
void go_on(const Training& training) {
    std::optional<KeepingContext::State> end;
    std::int64_t steps = 0;
    for (const std::int64_t epochs : {1, 2, 5}) {
        INFO(epochs << " epochs");
        const Ended unbroken = trained(training, epochs);
        const Ended longer = trained(training, epochs, end);
        CHECK(bytes_of(longer.outcome) == bytes_of(unbroken.outcome));
        steps += longer.steps;
        CHECK(steps == unbroken.steps);
        REQUIRE(longer.end);
        CHECK(longer.end->place.epoch == epochs);
        CHECK(longer.end->place.epoch_ended);
        end = longer.end;
    }
}

}  // namespace

TEST_CASE("a longer training continues from the final checkpoint of a shorter one with the same bytes, for the networks of the study") {
    go_on(GENERATE(classifier(), autoencoder(), autoencoder({{"precision", "bf16"}}), fine_tuning({{"freeze", "true"}}),
                   fine_tuning({{"freeze", "false"}})));
}

TEST_CASE(
    "a longer training continues from the final checkpoint of a shorter one with the same bytes, for every optimiser, schedule and "
    "option") {
    for (const Given& more : options_that_remember()) {
        INFO(more.begin()->first << ": " << more.begin()->second);
        go_on(classifier(more));
    }
}

TEST_CASE("the best epoch is that of the unbroken training, whether the shorter one had it or not") {
    // A rate that is too large: the loss goes up and down.
    const Training wild = classifier({{"optimiser", "sgd"}, {"learning_rate", "1.5"}, {"monitor", GENERATE("val/loss", "val/accuracy")}});
    std::set<bool> in_the_shorter;
    for (std::int64_t epochs = 1; epochs < 8; ++epochs) {
        const Ended longer = trained(wild, 8, trained(wild, epochs).end);
        const Ended unbroken = trained(wild, 8);
        CHECK(bytes_of(longer.outcome) == bytes_of(unbroken.outcome));
        in_the_shorter.insert(metric(unbroken.outcome, "best_epoch") <= static_cast<double>(epochs));
    }
    CHECK(in_the_shorter.size() == 2);
}

TEST_CASE("a longer training stops early where the unbroken one would: at once, or later") {
    const Training training = classifier({{"patience", "2"}, {"min_delta", "10"}});  // the first epoch counts, no later one does
    const Ended stopped = trained(training, 6);
    CHECK(metric(stopped.outcome, "stopped_early") == 1);
    CHECK(metric(stopped.outcome, "last_epoch") == 3);
    SECTION("the shorter one had stopped: no step more") {
        const Ended longer = trained(training, 9, stopped.end);
        CHECK(longer.steps == 0);
        CHECK(bytes_of(longer.outcome) == bytes_of(trained(training, 9).outcome));
        CHECK(longer.end->place.epoch == 3);
    }
    SECTION("it had waited for an epoch") {
        const Ended longer = trained(training, 9, trained(training, 2).end);
        CHECK(metric(longer.outcome, "last_epoch") == 3);
        CHECK(bytes_of(longer.outcome) == bytes_of(stopped.outcome));
    }
}

TEST_CASE("a cosine's rates depend on the number of epochs, and so the description says that a longer training starts over") {
    const Training cosine = classifier({{"schedule", "cosine"}});
    CHECK(bytes_of(trained(cosine, 4, trained(cosine, 2).end).outcome) != bytes_of(trained(cosine, 4).outcome));

    CatalogEntry entry;
    entry.description = train_stage().description;
    for (const std::string schedule : {"constant", "step", "cosine"}) {
        Node node;
        node.stage = &entry;
        node.params = TestContext(entry.description, with(cosine, {{"schedule", schedule}}).given).params();
        const auto continuation = continuation_of(node, {{"param epochs", "3"}, {"param seed", "7"}});
        REQUIRE(continuation);
        CHECK(continuation->param == "epochs");
        CHECK(continuation->target == 3);
        CHECK(continuation->blocker == (schedule == "cosine" ? "schedule cosine depends on epochs" : ""));
    }
}

TEST_CASE(
    "after an update with weights that are not finite no checkpoint, no final checkpoint and no result is stored, even if every loss was "
    "finite") {
    const std::vector<float> huge(16, 1e18f), zeros(8, 0.0f);
    const Training exploding{train_stage(),
                             {{"x", port(array<float>({8, 1, 1, 2}, huge))}, {"target", port(array<float>({8, 1}, zeros))}},
                             {{"net", "[flatten, {dense: 1}]"}, {"loss", "mse"}, {"epochs", "1"}, {"optimiser", "sgd"},
                              {"learning_rate", "1e6"}}};
    const TestContext given(exploding.stage.description, exploding.given);
    KeepingContext context(given);
    context.keeps_all = true;
    CHECK_THROWS_WITH(exploding.stage.run(exploding.inputs, context), Catch::Contains("the weights are no numbers after epoch 1"));
    CHECK(context.kept.empty());
    CHECK_FALSE(context.end);
}
