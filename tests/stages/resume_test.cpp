// A training that was interrupted and goes on from its checkpoint ends with the same bytes as one that never was: at every step and
// within every validation, for every optimiser and all that a training can remember.
#include "torch_test.h"

#include <optional>

#include "stages/stages.h"

using namespace satdl;
using namespace satdl::stages;

namespace {

// Every array's bytes copied: a checkpoint that was written and read back shares nothing with the training that kept it.
Group copied(const Group& group) {
    Group copies;
    for (const auto& [name, array] : group) {
        const auto owner = std::make_shared<std::vector<std::byte>>(array.bytes().begin(), array.bytes().end());
        copies.emplace(name, Array(array.dtype(), array.shape(), std::span<const std::byte>(*owner), owner));
    }
    return copies;
}

// Asked to stop when it was asked `stop_after` times whether it should; keeps what the stage then keeps.
class InterruptedContext final : public StageContext {
public:
    InterruptedContext(const TestContext& given, std::int64_t stop_after) : given_(given), stop_after_(stop_after) {}

    [[nodiscard]] const Params& params() const override { return given_.params(); }
    [[nodiscard]] int threads() const override { return 1; }
    [[nodiscard]] Precision precision() const override { return given_.precision(); }
    [[nodiscard]] const std::vector<SourceFile>& files() const override { return given_.files(); }
    [[nodiscard]] bool stop_requested() const override { return asked_++ == stop_after_; }
    void progress(const Progress&) override {}
    void log(LogLevel, std::string_view) override {}
    [[nodiscard]] const Group* checkpoint() override { return kept ? &*kept : nullptr; }
    void keep_checkpoint(const Group& state, const Progress& at) override {
        kept = copied(state);
        place = at;
    }
    void begin_again(std::int64_t stop_after) {
        asked_ = 0;
        stop_after_ = stop_after;
    }

    std::optional<Group> kept;
    Progress place;

private:
    const TestContext& given_;
    mutable std::int64_t asked_ = 0;
    std::int64_t stop_after_;
};

constexpr std::int64_t kNever = -1;

struct Training {
    StageEntry stage;
    StageInputs inputs;
    Given given;
};

// Stops after each `stride`-th question, goes on from the checkpoint, until it ends; then the bytes are compared.
void interrupt(const Training& training, std::int64_t stride) {
    const TestContext given(training.stage.description, training.given);
    InterruptedContext whole(given, kNever);
    const auto expected = bytes_of(training.stage.run(training.inputs, whole));
    InterruptedContext context(given, stride);
    int interruptions = 0;
    while (true) {
        try {
            const Outcome outcome = training.stage.run(training.inputs, context);
            CHECK(bytes_of(outcome) == expected);
            CHECK(interruptions > 0);
            return;
        } catch (const Stopped&) {
            ++interruptions;
            REQUIRE(context.kept);
            context.begin_again(stride);
        }
    }
}

// Stops once, after the `stop_after`-th question; whether it stopped.
bool interrupt_once(const Training& training, std::int64_t stop_after) {
    const TestContext given(training.stage.description, training.given);
    InterruptedContext whole(given, kNever);
    const auto expected = bytes_of(training.stage.run(training.inputs, whole));
    InterruptedContext context(given, stop_after);
    try {
        static_cast<void>(training.stage.run(training.inputs, context));
        return false;
    } catch (const Stopped&) {
    }
    INFO("stopped after question " << stop_after << ", in epoch " << context.place.epoch << ", step " << context.place.step);
    context.begin_again(kNever);
    CHECK(bytes_of(training.stage.run(training.inputs, context)) == expected);
    return true;
}

Given classifier(Given more = {}) {
    Given given{{"net", "[flatten, {dense: 8, activation: relu}, {batch_norm: {momentum: 0.9}}, {dropout: 0.3}, "
                        "{dense: 3, activation: softmax}]"},
                {"loss", "cross_entropy"}, {"epochs", "3"}, {"batch_size", "16"}, {"learning_rate", "0.02"}, {"seed", "7"}};
    for (auto& [name, value] : more) given[name] = value;
    return given;
}

Training autoencoder(const std::string& precision = "fp32") {
    std::vector<float> images(40 * 64);
    const Stream stream(1, Purpose::Noise);
    for (std::size_t i = 0; i < images.size(); ++i) images[i] = static_cast<float>(stream.uniform(i));
    const Group x = port(array<float>({40, 1, 8, 8}, images));
    return {train_stage(),
            {{"x", x}, {"target", x}, {"val_x", x}, {"val_target", x}},
            {{"net", "[{conv: 4, activation: relu}, {batch_norm: {momentum: 0.5}}, max_pool, {conv: 4}, upsample, "
                     "{conv: 1, activation: sigmoid, name: out}]"},
             {"loss", "mse"}, {"epochs", "2"}, {"batch_size", "16"}, {"learning_rate", "0.01"}, {"precision", precision}}};
}

}  // namespace

TEST_CASE("a training that is stopped at any step, or while it validates, ends with the bytes of one that is not") {
    const Training training = GENERATE(Training{train_stage(), blobs(70), classifier()}, autoencoder(), autoencoder("bf16"));
    for (std::int64_t question = 0; interrupt_once(training, question); ++question) {}
}

TEST_CASE("a training that is stopped again and again ends with the same bytes, with every optimiser and option") {
    const Given more = GENERATE(
        Given{{"optimiser", "adam"}}, Given{{"optimiser", "adamw"}}, Given{{"optimiser", "sgd"}},
        Given{{"optimiser", "sgd"}, {"momentum", "0.9"}, {"nesterov", "true"}},
        Given{{"schedule", "cosine"}, {"warmup_epochs", "1"}}, Given{{"schedule", "step"}, {"step_epochs", "0.5"}},
        Given{{"accumulate", "3"}}, Given{{"clip_norm", "0.1"}}, Given{{"clip_value", "0.01"}},
        Given{{"patience", "1"}, {"min_delta", "10"}, {"epochs", "6"}}, Given{{"class_weights", "balanced"}},
        Given{{"monitor", "train/accuracy"}}, Given{{"initialiser", "torch"}},
        Given{{"precision", "bf16"}, {"accumulate", "2"}});
    const std::int64_t stride = GENERATE(7, 9);  // more than a validation asks: that begins anew
    interrupt({train_stage(), blobs(70), classifier(more)}, stride);
}

TEST_CASE("without validation data, and with a part of the data held out") {
    interrupt({train_stage(), blobs(70, false), classifier()}, 3);
    interrupt({train_stage(), blobs(70, false), classifier({{"validation_fraction", "0.3"}})}, 3);
}

TEST_CASE("a fine-tuning goes on with the same bytes, its base frozen or not") {
    const Training base = autoencoder();
    const Outcome trained = run(base.stage, base.inputs, base.given);
    std::vector<std::uint8_t> classes;
    for (std::uint8_t i = 0; i < 40; ++i) classes.push_back(i % 3);
    const StageInputs inputs{{"base", trained.outputs.at("model")}, {"x", base.inputs.at("x")},
                             {"target", port(array<std::uint8_t>({40}, classes))}};
    const std::string freeze = GENERATE("true", "false");
    interrupt({fine_tune_stage(), inputs,
               {{"net", "[flatten, {dense: 8, activation: relu}, {dense: 3, activation: softmax}]"},
                {"loss", "cross_entropy"}, {"epochs", "2"}, {"batch_size", "16"}, {"freeze", freeze}}},
              2);
}
