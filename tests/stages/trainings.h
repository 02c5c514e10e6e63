// What the tests of interrupted and of longer trainings share: small trainings of every sort, and a context that keeps their states.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "stage_test.h"
#include "stages/stages.h"

namespace satdl::stages {

// Every array's bytes copied: a state that was written and read back shares nothing with the training that kept it.
inline NamedArrays copied(const NamedArrays& group) {
    NamedArrays copies;
    for (const auto& [name, array] : group) {
        const auto owner = std::make_shared<std::vector<std::byte>>(array.bytes().begin(), array.bytes().end());
        copies.emplace(name, Array(array.dtype(), array.shape(), std::span<const std::byte>(*owner), owner));
    }
    return copies;
}

// Keeps a training's states, and begins at one. Asked to stop when it was asked `stop_after` times whether it should.
class KeepingContext final : public StageContext {
public:
    static constexpr std::int64_t kNever = -1;

    explicit KeepingContext(const TestContext& given, std::int64_t stop_after = kNever) : given_(given), stop_after_(stop_after) {}

    [[nodiscard]] const Params& params() const override { return given_.params(); }
    [[nodiscard]] int threads() const override { return 1; }
    [[nodiscard]] Precision precision() const override { return given_.precision(); }
    [[nodiscard]] const std::vector<SourceFile>& files() const override { return given_.files(); }
    [[nodiscard]] bool stop_requested() const override { return asked_++ == stop_after_; }
    void progress(const Progress& at) override { steps += at.epoch_ended || at.step == 0 ? 0 : 1; }
    void log(LogLevel, std::string_view) override {}
    [[nodiscard]] const NamedArrays* checkpoint() override { return begin_at ? &*begin_at : nullptr; }
    [[nodiscard]] bool checkpoint_due(bool) override { return keeps_all; }
    void keep_checkpoint(const NamedArrays& state, const Progress& at) override { kept.push_back({copied(state), at}); }
    void keep_final_checkpoint(const NamedArrays& state, const Progress& at) override { end = {copied(state), at}; }

    struct State {
        NamedArrays state;
        Progress place;
    };
    std::optional<NamedArrays> begin_at;
    bool keeps_all = false;  // after every step and every epoch; else only where it is stopped
    std::vector<State> kept;
    std::optional<State> end;
    std::int64_t steps = 0;  // that were done

private:
    const TestContext& given_;
    mutable std::int64_t asked_ = 0;
    std::int64_t stop_after_;
};

struct Training {
    StageEntry stage;
    StageInputs inputs;
    Given given;
};

inline Training with(Training training, const Given& more) {
    for (const auto& [name, value] : more) training.given[name] = value;
    return training;
}

// As the study's M2, with batch norm and dropout.
inline Training classifier(const Given& more = {}) {
    const Given given{{"net", "[flatten, {dense: 8, activation: relu}, {batch_norm: {momentum: 0.9}}, {dropout: 0.3}, "
                              "{dense: 3, activation: softmax}]"},
                      {"loss", "cross_entropy"}, {"epochs", "3"}, {"batch_size", "16"}, {"learning_rate", "0.02"}, {"seed", "7"}};
    return with({train_stage(), blobs(70), given}, more);
}

// As M1: convolutions, batch norm, pooling, upsampling.
inline Training autoencoder(const Given& more = {}) {
    std::vector<float> images(40 * 64);
    const Stream stream(1, Purpose::Noise);
    for (std::size_t i = 0; i < images.size(); ++i) images[i] = static_cast<float>(stream.uniform(i));
    const NamedArrays x = port(array<float>({40, 1, 8, 8}, images));
    return with({train_stage(),
                 {{"x", x}, {"target", x}, {"val_x", x}, {"val_target", x}},
                 {{"net", "[{conv: 4, activation: relu}, {batch_norm: {momentum: 0.5}}, max_pool, {conv: 4}, upsample, "
                          "{conv: 1, activation: sigmoid, name: out}]"},
                  {"loss", "mse"}, {"epochs", "2"}, {"batch_size", "16"}, {"learning_rate", "0.01"}}},
                more);
}

// As M3: on top of a trained autoencoder.
inline Training fine_tuning(const Given& more = {}) {
    const Training base = autoencoder();
    const StageOutput trained = run(base.stage, base.inputs, base.given);
    std::vector<std::uint8_t> classes;
    for (std::uint8_t i = 0; i < 40; ++i) classes.push_back(i % 3);
    return with({fine_tune_stage(),
                 {{"base", trained.outputs.at("model")}, {"x", base.inputs.at("x")},
                  {"target", port(array<std::uint8_t>({40}, classes))}},
                 {{"net", "[flatten, {dense: 8, activation: relu}, {dense: 3, activation: softmax}]"},
                  {"loss", "cross_entropy"}, {"epochs", "2"}, {"batch_size", "16"}}},
                more);
}

// All that a training can remember from one step to the next.
inline std::vector<Given> options_that_remember() {
    return {{{"optimiser", "adam"}},
            {{"optimiser", "adamw"}},
            {{"optimiser", "sgd"}},
            {{"optimiser", "sgd"}, {"momentum", "0.9"}, {"nesterov", "true"}},
            {{"schedule", "step"}, {"step_epochs", "0.5"}},
            {{"schedule", "constant"}, {"warmup_epochs", "1"}},
            {{"accumulate", "3"}},
            {{"clip_norm", "0.1"}},
            {{"clip_value", "0.01"}},
            {{"patience", "5"}, {"start_epoch", "2"}},
            {{"class_weights", "balanced"}},
            {{"monitor", "train/accuracy"}},
            {{"initialiser", "torch"}},
            {{"precision", "bf16"}, {"accumulate", "2"}}};
}

}  // namespace satdl::stages
