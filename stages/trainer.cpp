#include "stages/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "pipeline/network/metric_names.h"
#include "stages/device.h"
#include "stages/ports.h"
#include "stages/training_checkpoint.h"

namespace satdl::stages {
namespace {

std::vector<std::size_t> trained_tensors(const Net& net, std::size_t frozen_layers) {
    std::vector<std::size_t> positions;
    for (std::size_t i = 0; i < net.tensors().size(); ++i) {
        if (net.tensors()[i].trainable() && net.tensors()[i].layer >= frozen_layers) positions.push_back(i);
    }
    if (positions.empty()) throw stage_error("nothing to train: every layer with weights is frozen");
    return positions;
}

TrainingOptions with_decay_of(const Net& net, TrainingOptions options) {
    if (options.decay == Decay::Kernels) {
        for (const std::size_t i : trained_tensors(net, options.frozen_layers))
            options.optimiser.without_decay.push_back(net.tensors()[i].role != TensorRole::Kernel);
    }
    return options;
}

std::size_t column(const TrainingHistory& history, const std::string& name) {
    return static_cast<std::size_t>(std::ranges::find(history.names, name) - history.names.begin());
}

bool is_better(const std::string& metric, double value, double than) {
    return more_is_better(metric) ? value > than : value < than;
}

// Of one that is not finite. A NaN has a sign, which says nothing.
std::string loss_text(double loss) { return std::isnan(loss) ? "nan" : fmt::format("{}", loss); }

bool all_finite(const Weights& weights) {
    const at::NoGradGuard no_grad;
    return std::ranges::all_of(weights, [](const at::Tensor& tensor) { return at::isfinite(tensor).all().item<bool>(); });
}

Weights copies(const Weights& weights) {
    const at::NoGradGuard no_grad;
    Weights result;
    for (const at::Tensor& tensor : weights) result.push_back(tensor.detach().clone());
    return result;
}

}  // namespace

Trainer::Trainer(const Net& net, TrainingOptions options, TrainingData data, StageContext& context)
    : net_(net),
      options_(with_decay_of(net, std::move(options))),
      objective_(options_.loss, net, data.train.target),
      data_(std::move(data)),
      trained_(trained_tensors(net, options_.frozen_layers)),
      steps_an_epoch_((data_.train.x.size(0) + options_.batch_size - 1) / options_.batch_size),
      schedule_(options_.schedule, options_.optimiser.learning_rate,
                (steps_an_epoch_ + options_.accumulate - 1) / options_.accumulate, options_.epochs),
      context_(context),
      batch_(net.blank_batch(std::min(options_.batch_size, data_.train.x.size(0)))) {
    check_samples(net, data_.train, "x", "target");
    data_.train.target = objective_.prepare(data_.train.target);
    if (data_.validation) {
        check_samples(net, *data_.validation, "val_x", "val_target");
        // Its targets may hold what the training's do not.
        const Objective checked(options_.loss, net, data_.validation->target);
        data_.validation->target = objective_.prepare(data_.validation->target);
    }
    data_.train = placed_near(net.device(), std::move(data_.train));
    if (data_.validation) data_.validation = placed_near(net.device(), *std::move(data_.validation));
    batch_ = batch_.to(data_.train.x.device());
    dense_ = DenseTraining::of(net_, {.loss = options_.loss,
                                      .frozen_layers = options_.frozen_layers,
                                      .batch_size = options_.batch_size,
                                      .samples = data_.train,
                                      .class_weights = options_.class_weights});
    std::vector<std::string> names;
    for (const char* prefix : {"train/", "val/"}) {
        if (*prefix == 'v' && !data_.validation) continue;
        for (const auto& [name, value] : named(prefix, {})) names.push_back(name);
    }
    const auto monitor =
        options_.monitor == "auto" ? std::optional<std::string>(data_.validation ? "val/loss" : "train/loss")
                                    : find_metric(options_.monitor, names);
    if (!monitor) {
        throw stage_error(fmt::format("there is no metric '{}' to monitor", options_.monitor),
                          did_you_mean(options_.monitor, names));
    }
    monitor_ = *monitor;
}

Numbers Trainer::named(const std::string& prefix, const MetricSums& sums) const {
    Numbers numbers = objective_.means(sums);
    for (auto& [name, value] : numbers) name = prefix + name;
    return numbers;
}

TrainingState Trainer::start(Weights weights) const {
    TrainingState state;
    state.weights = std::move(weights);
    Weights trained;
    for (const std::size_t i : trained_) trained.push_back(state.weights[i]);
    state.moments = start_moments(options_.optimiser.kind, trained);
    if (const NamedArrays* checkpoint = context_.checkpoint()) restore(net_, trained_, *checkpoint, state);
    return state;
}

void Trainer::run(TrainingState& state) {
    for (std::size_t i = 0; i < state.weights.size(); ++i) {
        state.weights[i].set_requires_grad(std::ranges::binary_search(trained_, i));
    }
    try {
        while (state.epoch < options_.epochs && !state.stopping.stopped) run_epoch(state);
    } catch (const Stopped&) {
        read_sums(state);
        keep_checkpoint(state);
        throw;
    }
    if (all_finite(state.weights)) context_.keep_final_checkpoint(checkpoint_of(net_, trained_, state), place_in(state, true));
}

// An update may spoil the weights one step before a loss shows it: only finite weights are kept.
void Trainer::keep_checkpoint(const TrainingState& state) {
    if (!all_finite(state.weights)) return;
    const bool epoch_ended = state.step == 0 && state.epoch > 0;
    context_.keep_checkpoint(checkpoint_of(net_, trained_, state), place_in(state, epoch_ended));
}

std::string Trainer::ending(const TrainingState& state) const {
    if (!state.stopping.stopped) return fmt::format("ended after epoch {}, the last", state.epoch);
    return fmt::format("stopped after epoch {}: {} has not improved for {} epoch{}", state.epoch, monitor_,
                       state.stopping.waited, state.stopping.waited == 1 ? "" : "s");
}

void Trainer::run_epoch(TrainingState& state) {
    const Stream stream(options_.seed, Purpose::Shuffle, 0, static_cast<std::uint32_t>(state.epoch));
    const std::vector<std::int64_t> order = shuffled(data_.train.x.size(0), stream);
    const auto batch = [&](std::int64_t step) {
        const auto first = static_cast<std::size_t>(step * options_.batch_size);
        const std::span<const std::int64_t> rest = std::span(order).subspan(std::min(first, order.size()));
        return rest.first(std::min(static_cast<std::size_t>(options_.batch_size), rest.size()));
    };
    will_gather(data_.train, batch(state.step));
    while (state.step < steps_an_epoch_) {
        if (context_.stop_requested()) throw Stopped{};
        const std::span chosen = batch(state.step);
        will_gather(data_.train, batch(state.step + 1));
        const std::optional<double> loss = dense_ ? run_dense_step(state, chosen) : run_step(state, chosen);
        was_gathered(data_.train, chosen);
        if (loss && !std::isfinite(*loss)) {
            throw stage_error(fmt::format("the loss is {} in epoch {}, step {}", loss_text(*loss), state.epoch + 1, state.step),
                              "try a smaller learning_rate, and check the inputs for NaN");
        }
        if (loss) report(state, false, named("train/", state.sums));
        if (!context_.checkpoint_due(false)) continue;
        read_sums(state);
        keep_checkpoint(state);
    }
    end_epoch(state);
    if (context_.checkpoint_due(true)) keep_checkpoint(state);
}

// Reading what a GPU has computed waits for all that was asked of it, and meanwhile nothing more is: so its sums stay there for some steps.
std::optional<double> Trainer::run_step(TrainingState& state, std::span<const std::int64_t> of_batch) {
    constexpr std::int64_t kStepsBetweenReadings = 16;
    const auto count = static_cast<std::int64_t>(of_batch.size());
    // The batch is copied to memory of our own, whose alignment does not depend on where the input came from.
    const at::Tensor chosen = at::from_blob(const_cast<std::int64_t*>(of_batch.data()), {count}, at::TensorOptions(at::kLong));
    at::Tensor x = batch_.narrow(0, 0, count);
    gather(data_.train, chosen, x);
    const at::Tensor& targets = data_.train.target;
    const at::Tensor target = sent_to(net_.device(), targets.index_select(0, sent_to(targets.device(), chosen)));

    const Pass pass{true, options_.frozen_layers, options_.seed, state.steps};
    const at::Tensor logits = net_.logits(state.weights, x, pass);
    const at::Tensor loss = options_.class_weights.defined() ? objective_.loss(logits, target, options_.class_weights)
                                                             : objective_.loss(logits, target);
    Weights trained;
    for (const std::size_t i : trained_) trained.push_back(state.weights[i]);
    Weights gradients = torch::autograd::grad({loss}, trained);
    std::optional<double> value;
    if (net_.device().is_cpu()) {
        value = loss.item<double>();
        objective_.add_to(state.sums, logits, target, *value);
    } else {
        if (!sums_there_.defined()) sums_there_ = state.sums.on(net_.device());
        objective_.add_to(sums_there_, logits, target, loss);
        state.sums.samples += count;
    }
    ++state.step;
    ++state.steps;
    learn_from(state, std::move(gradients), count);
    if (sums_there_.defined() && (state.step % kStepsBetweenReadings == 0 || state.step == steps_an_epoch_)) {
        read_sums(state);
        value = state.sums.loss;
    }
    return value;
}

void Trainer::read_sums(TrainingState& state) {
    if (sums_there_.defined()) state.sums.read(std::exchange(sums_there_, {}));
}

double Trainer::run_dense_step(TrainingState& state, std::span<const std::int64_t> chosen) {
    ++state.step;
    ++state.steps;
    if (options_.accumulate == 1 && !options_.clipping.norm && !options_.clipping.value) {
        begin_update(state);
        return dense_->update({options_.optimiser, state.updates, state.rate}, chosen, state.weights, state.moments, state.sums);
    }
    if (dense_gradients_.empty())
        for (const std::size_t i : trained_) dense_gradients_.push_back(at::empty_like(state.weights[i]).detach());
    const double loss = dense_->gradients(chosen, state.weights, dense_gradients_, state.sums);
    learn_from(state, dense_gradients_, static_cast<std::int64_t>(chosen.size()));
    return loss;
}

void Trainer::begin_update(TrainingState& state) const {
    state.rate = schedule_.rate_at(state.updates);
    ++state.updates;
}

// An update after every `accumulate` batches, and after the last one of an epoch.
void Trainer::learn_from(TrainingState& state, Weights gradients, std::int64_t samples) {
    if (options_.accumulate > 1) {
        add_to(state.gradients, gradients, samples);
        if (state.gradients.batches < options_.accumulate && state.step < steps_an_epoch_) return;
        gradients = take_mean(state.gradients);
    }
    Weights trained;
    for (const std::size_t i : trained_) trained.push_back(state.weights[i]);
    begin_update(state);
    const std::optional<Weights> clipped_gradients = clipped(options_.clipping, std::move(gradients));
    if (!clipped_gradients)
        throw stage_error(fmt::format("the gradients are no numbers in epoch {}, step {}", state.epoch + 1, state.step),
                          "try a smaller learning_rate, and check the inputs for NaN");
    update(options_.optimiser, state.updates, state.rate, *clipped_gradients, state.moments, trained);
}

Numbers Trainer::validate(TrainingState& state) const {
    const MetricSums sums = evaluate(net_, state.weights, objective_, *data_.validation, options_.batch_size, context_);
    Numbers numbers = named("val/", sums);
    if (!std::isfinite(numbers.front().second)) {
        throw stage_error(fmt::format("the loss of the validation data is {} after epoch {}", loss_text(numbers.front().second),
                                      state.epoch + 1),
                          "try a smaller learning_rate, and check the inputs for NaN");
    }
    return numbers;
}

void Trainer::end_epoch(TrainingState& state) {
    if (!all_finite(state.weights))  // the epoch's last update spoilt them, which no loss has shown yet
        throw stage_error(fmt::format("the weights are no numbers after epoch {}", state.epoch + 1),
                          "try a smaller learning_rate, and check the inputs for NaN");
    Numbers metrics = named("train/", state.sums);
    if (data_.validation) {
        const Numbers numbers = validate(state);
        metrics.insert(metrics.end(), numbers.begin(), numbers.end());
    }
    state.history.names.clear();
    std::vector<double> row;
    for (const auto& [name, value] : metrics) {
        state.history.names.push_back(name);
        row.push_back(value);
    }
    state.history.rows.push_back(std::move(row));
    state.history.steps.push_back(state.updates);
    state.history.rates.push_back(state.rate);
    ++state.epoch;
    keep_weights(state);
    report(state, true, metrics);
    state.step = 0;
    state.sums = {};
}

void Trainer::keep_weights(TrainingState& state) const {
    const std::size_t monitored = column(state.history, monitor_);
    const double value = state.history.rows.back()[monitored];
    const auto best_row = static_cast<std::size_t>(state.best_epoch - 1);
    if (options_.keep == Keep::Last || state.best_epoch == 0 || is_better(monitor_, value, state.history.rows[best_row][monitored])) {
        state.best_epoch = state.epoch;
        state.best_weights = copies(state.weights);
    }
    watch(options_.stopping, state.epoch, value, more_is_better(monitor_), state.stopping);
}

Progress Trainer::place_in(const TrainingState& state, bool epoch_ended) const {
    return {.epoch = epoch_ended ? state.epoch : state.epoch + 1,
            .epochs = options_.epochs,
            .step = epoch_ended ? steps_an_epoch_ : state.step,
            .steps = steps_an_epoch_,
            .epoch_ended = epoch_ended,
            .metrics = {}};
}

void Trainer::report(const TrainingState& state, bool epoch_ended, const Numbers& metrics) {
    Progress progress = place_in(state, epoch_ended);
    progress.metrics = metrics;
    context_.progress(progress);
}

void Trainer::report_kept(const TrainingState& state) {
    if (state.best_epoch == state.epoch) return;
    Progress progress = place_in(state, true);
    progress.epoch = state.best_epoch;
    progress.step = 0;  // no step, and no end of an epoch: observers must not count it again
    progress.epoch_ended = false;
    const std::vector<double>& kept = state.history.rows[static_cast<std::size_t>(state.best_epoch - 1)];
    for (std::size_t i = 0; i < kept.size(); ++i) progress.metrics.emplace_back(state.history.names[i], kept[i]);
    context_.progress(progress);
}

MetricSums evaluate(const Net& net, Weights& weights, const Objective& objective, const Samples& samples,
                    std::int64_t batch_size, const StageContext& context, Predictions* predictions) {
    const at::NoGradGuard no_grad;
    at::Tensor batch = net.blank_batch(std::min(batch_size, samples.x.size(0))).to(samples.x.device());
    MetricSums sums;
    at::Tensor sums_there = net.device().is_cpu() ? at::Tensor() : sums.on(net.device());
    for (std::int64_t first = 0; first < samples.x.size(0); first += batch_size) {
        if (context.stop_requested()) throw Stopped{};
        const std::int64_t count = std::min(batch_size, samples.x.size(0) - first);
        const at::Tensor x = batch.narrow(0, 0, count);
        gather(samples, first, x);
        was_gathered(samples, first, count);
        will_gather(samples, first + batch_size, batch_size);
        const at::Tensor logits = net.logits(weights, x, {});
        const at::Tensor target = sent_to(net.device(), samples.target.narrow(0, first, count));
        if (sums_there.defined()) {
            objective.add_to(sums_there, logits, target, objective.loss(logits, target));
            sums.samples += count;
        } else {
            objective.add_to(sums, logits, target, objective.loss(logits, target).item<double>());
        }
        if (predictions == nullptr) continue;
        predictions->outputs.narrow(0, first, count).copy_(objective.output(logits));
        if (predictions->classes.defined()) predictions->classes.narrow(0, first, count).copy_(objective.predicted(logits));
    }
    if (sums_there.defined()) sums.read(sums_there);
    return sums;
}

}  // namespace satdl::stages
