// A training that was interrupted and resumes from its checkpoint ends with the same bytes as one that was not: from every step,
// every end of an epoch and every validation, for every network of the study's sort, every optimiser and all that a training can
// remember.
#include "torch_test.h"

#include "trainings.h"

using namespace satdl;
using namespace satdl::stages;

namespace {

using Bytes = std::map<std::string, std::string>;

// Of the outputs of a training that begins at `state`.
Bytes finished(const Training& training, const NamedArrays& state) {
    const TestContext given(training.stage.description, training.given);
    KeepingContext context(given);
    context.begin_at = state;
    return bytes_of(training.stage.run(training.inputs, context));
}

// Killed after each step and each epoch, a checkpoint kept there.
void go_on_from_everywhere(const Training& training) {
    const TestContext given(training.stage.description, training.given);
    KeepingContext whole(given);
    whole.keeps_all = true;
    const Bytes expected = bytes_of(training.stage.run(training.inputs, whole));
    std::size_t ends = 0;
    for (const auto& [state, place] : whole.kept) {
        INFO("from epoch " << place.epoch << ", step " << place.step);
        CHECK(finished(training, state) == expected);
        ends += place.epoch_ended ? 1 : 0;
    }
    CHECK(ends >= 2);
    CHECK(whole.kept.size() > 2 * ends);
}

// Asked to stop once, at each question after which it may be; then it resumes.
void stop_everywhere(const Training& training) {
    const TestContext given(training.stage.description, training.given);
    KeepingContext whole(given);
    const Bytes expected = bytes_of(training.stage.run(training.inputs, whole));
    for (std::int64_t question = 0;; ++question) {
        KeepingContext context(given, question);
        try {
            static_cast<void>(training.stage.run(training.inputs, context));
            CHECK(question > 5);
            return;
        } catch (const Stopped&) {
            REQUIRE(context.kept.size() == 1);
        }
        INFO("stopped after question " << question << ", in epoch " << context.kept[0].place.epoch << ", step " << context.kept[0].place.step);
        CHECK(finished(training, context.kept[0].state) == expected);
    }
}

// Stops after each `stride`-th question, resumes from the checkpoint, until it ends.
void stop_again_and_again(const Training& training, std::int64_t stride) {
    const TestContext given(training.stage.description, training.given);
    KeepingContext whole(given);
    const Bytes expected = bytes_of(training.stage.run(training.inputs, whole));
    std::optional<NamedArrays> state;
    for (int interruptions = 0;; ++interruptions) {
        KeepingContext context(given, stride);
        context.begin_at = state;
        try {
            const StageOutput outcome = training.stage.run(training.inputs, context);
            CHECK(bytes_of(outcome) == expected);
            CHECK(interruptions > 0);
            return;
        } catch (const Stopped&) {
            REQUIRE(context.kept.size() == 1);
            state = context.kept[0].state;
        }
    }
}

}  // namespace

TEST_CASE("a training that is stopped at any step, or while it validates, ends with the bytes of one that is not") {
    stop_everywhere(GENERATE(classifier(), autoencoder(), autoencoder({{"precision", "bf16"}}), fine_tuning({{"freeze", "true"}}),
                             fine_tuning({{"freeze", "false"}})));
}

TEST_CASE("a training that is killed resumes from any checkpoint, with every optimiser, schedule and option") {
    for (const Given& more : options_that_remember()) {
        INFO(more.begin()->first << ": " << more.begin()->second);
        go_on_from_everywhere(classifier(more));
    }
    go_on_from_everywhere(classifier({{"schedule", "cosine"}, {"warmup_epochs", "1"}}));
    go_on_from_everywhere(autoencoder());
    go_on_from_everywhere(fine_tuning({{"freeze", GENERATE("true", "false")}}));
}

TEST_CASE("a training that is stopped again and again ends with the same bytes") {
    // More than a validation asks: that starts over.
    stop_again_and_again(classifier({{"accumulate", "3"}}), GENERATE(7, 9));
    stop_again_and_again(classifier({{"patience", "1"}, {"min_delta", "10"}, {"epochs", "6"}}), 7);
}

TEST_CASE("a training with augmentation and layer norm ends with the same bytes, whatever interrupted it") {
    const Training training =
        autoencoder({{"net", "[{random_flip: horizontal}, {random_crop: 2}, {conv: 4, activation: gelu}, layer_norm, "
                             "global_average_pool, {dense: 64}, {unflatten: {height: 8, width: 8}}]"}});
    go_on_from_everywhere(training);
    stop_everywhere(with(training, {{"precision", GENERATE("fp32", "bf16")}}));
}

TEST_CASE("a plain dense network, which is trained without autograd, ends with the same bytes, whatever interrupted it") {
    const Given chain{{"net", "[flatten, {dense: 8, activation: relu}, {dense: 3, activation: softmax}]"}};
    for (const Given& more : options_that_remember()) {
        INFO(more.begin()->first << ": " << more.begin()->second);
        go_on_from_everywhere(classifier(with(classifier(chain), more).given));
    }
    stop_everywhere(classifier(chain));
}

TEST_CASE("a stopped training ends with the same bytes without validation data and with held-out data") {
    Training training = classifier();
    training.inputs = blobs(70, false);
    go_on_from_everywhere(training);
    go_on_from_everywhere(with(training, {{"validation_fraction", "0.3"}}));
}
