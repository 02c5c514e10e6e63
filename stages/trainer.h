// Training: mini-batches in an order that the seed decides, metrics per epoch, and the best epoch kept, or the last.
//
// All that a training knows between two steps stands in TrainingState, a plain value; the order of an epoch and the dropout
// masks of a step are functions of (seed, epoch, step). So a state that was written down and read back continues with the
// same bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "stages/dense_training.h"
#include "stages/early_stopping.h"
#include "stages/gradients.h"
#include "stages/learning_rate.h"
#include "stages/loss.h"
#include "stages/optimiser.h"
#include "stages/samples.h"
#include "stages/torch_network.h"

namespace satdl::stages {

enum class Keep { Best, Last };  // the epoch whose weights are the result
enum class Decay { All, Kernels };  // what weight decay applies to: every trained tensor, or neither biases nor norms

struct TrainingOptions {
    LossKind loss = LossKind::Mse;
    OptimiserOptions optimiser;  // `without_decay` follows from the next
    Decay decay = Decay::All;
    std::int64_t epochs = 1;
    std::int64_t batch_size = 128;
    std::int64_t seed = 0;
    std::string monitor = "auto";   // "val/loss", ...; also Keras' names; auto: val/loss, without validation data train/loss
    Keep keep = Keep::Best;
    std::size_t frozen_layers = 0;  // the first so many layers stay as they are
    ScheduleOptions schedule{};
    StoppingOptions stopping{};
    Clipping clipping{};
    std::int64_t accumulate = 1;  // batches an update
    at::Tensor class_weights{};   // float32 [classes], on the network's device; undefined: all count the same
};

struct TrainingData {
    Samples train;
    std::optional<Samples> validation;
};

// The metrics of each finished epoch.
struct TrainingHistory {
    std::vector<std::string> names;  // "train/loss", "train/accuracy", "val/loss", ...
    std::vector<std::vector<double>> rows;
    std::vector<std::int64_t> steps;  // updates of the weights at the end of each epoch, counted from the start
    std::vector<double> rates;        // the learning rate of each epoch's last update
};

struct TrainingState {
    std::int64_t epoch = 0;  // finished epochs
    std::int64_t step = 0;   // finished steps of the running epoch
    std::int64_t steps = 0;    // finished steps in all: batches
    std::int64_t updates = 0;  // of the weights
    GradientSum gradients;     // of the batches since the last update
    double rate = 0;           // of the last update
    Weights weights;
    Moments moments;  // of the trained tensors, in order
    MetricSums sums;  // of the running epoch's training
    TrainingHistory history;
    std::int64_t best_epoch = 0;  // whose weights are kept; 0: none yet
    Weights best_weights;
    StoppingState stopping;
};

class Trainer {
public:
    // Throws Error{StageFailed}: data that do not fit the network, the loss or each other; an unknown monitor.
    // `net`, `context` must outlive the trainer.
    Trainer(const Net& net, TrainingOptions options, TrainingData data, StageContext& context);

    // The state at the start; or, where an earlier attempt was interrupted, at its last checkpoint.
    [[nodiscard]] TrainingState start(Weights weights) const;
    // To the end of the last epoch, or until it stops early; that end is kept. Throws Stopped between two steps, a checkpoint kept;
    // Error{StageFailed} where the loss is no number any more.
    void run(TrainingState& state);

    // Through the context. Not where the weights are no numbers any more.
    void keep_checkpoint(const TrainingState& state);

    // To the context, after run(): the metrics of the epoch that is kept, if that is not the last.
    void report_kept(const TrainingState& state);

    [[nodiscard]] const std::string& monitor() const { return monitor_; }
    // Why the training ended: "stopped after epoch 7: val/loss has not improved for 3 epochs".
    [[nodiscard]] std::string ending(const TrainingState& state) const;

private:
    void run_epoch(TrainingState& state);
    // Both: of the samples of a batch. They give the mean loss before the update.
    // nullopt: it is not known yet (read_sums).
    std::optional<double> run_step(TrainingState& state, std::span<const std::int64_t> of_batch);
    double run_dense_step(TrainingState& state, std::span<const std::int64_t> chosen);
    void read_sums(TrainingState& state);
    void learn_from(TrainingState& state, Weights gradients, std::int64_t samples);
    void begin_update(TrainingState& state) const;
    void end_epoch(TrainingState& state);
    void keep_weights(TrainingState& state) const;
    [[nodiscard]] Numbers validate(TrainingState& state) const;
    [[nodiscard]] Progress place_in(const TrainingState& state, bool epoch_ended) const;
    void report(const TrainingState& state, bool epoch_ended, const Numbers& metrics);
    [[nodiscard]] Numbers named(const std::string& prefix, const MetricSums& sums) const;

    const Net& net_;
    const TrainingOptions options_;
    const Objective objective_;
    TrainingData data_;  // targets prepared
    const std::vector<std::size_t> trained_;  // positions of the tensors that are trained
    const std::int64_t steps_an_epoch_;
    const Schedule schedule_;
    std::string monitor_;
    StageContext& context_;
    std::unique_ptr<DenseTraining> dense_;  // or null: autograd
    at::Tensor sums_there_;      // of a network on a GPU: MetricSums since they were last read
    at::Tensor batch_;           // reused, as these are
    Weights dense_gradients_;
};

// What a model gives for each sample.
struct Predictions {
    at::Tensor outputs;  // [N, ...], filled in
    at::Tensor classes;  // int64 [N], filled in where it is defined
};

// The metrics of `samples`, not training, batch by batch. Throws Stopped.
[[nodiscard]] MetricSums evaluate(const Net& net, Weights& weights, const Objective& objective, const Samples& samples,
                                  std::int64_t batch_size, const StageContext& context,
                                  Predictions* predictions = nullptr);

}  // namespace satdl::stages
