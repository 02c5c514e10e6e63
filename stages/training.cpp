#include "stages/training.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <set>
#include <utility>

#include "pipeline/core/row_fraction.h"
#include "pipeline/network/loss_rules.h"
#include "stages/class_weights.h"
#include "stages/classification.h"
#include "stages/device.h"
#include "stages/model_arrays.h"
#include "stages/ports.h"
#include "stages/tensor.h"
#include "stages/training_summary.h"

namespace satdl::stages {
namespace {

ParamDescription number(std::string name, std::string fallback, double min, double max, std::string help) {
    return {.name = std::move(name), .type = ParamType::Number, .fallback = std::move(fallback), .min = min,
            .max = max, .help = std::move(help)};
}

ParamDescription whole(std::string name, std::string fallback, double min, std::string unit, std::string help) {
    return {.name = std::move(name), .type = ParamType::Integer, .fallback = std::move(fallback), .min = min,
            .max = 1e6, .unit = std::move(unit), .help = std::move(help)};
}

ParamDescription with(ParamDescription param, std::vector<ParamDescription::Condition> needs) {
    param.needs = std::move(needs);
    return param;
}

// What an update of the weights is.
std::vector<ParamDescription> optimiser_params() {
    const ParamDescription::Condition adam{"optimiser", {"adam", "adamw"}}, sgd{"optimiser", {"sgd"}};
    ParamDescription by_norm =
        number("clip_norm", "null", 1e-12, 1e12, "scale all gradients together to at most this norm");
    by_norm.excludes = {"clip_value"};
    ParamDescription exclude{.name = "exclude_from_weight_decay",
                             .type = ParamType::Choice,
                             .fallback = "none",
                             .choices = {"none", "bias_and_norm"},
                             .help = "what weight_decay leaves alone: biases, and the weights of batch_norm and layer_norm",
                             .needs = {{"weight_decay", {}}}};
    return {
        {.name = "optimiser",
         .type = ParamType::Choice,
         .fallback = "adam",
         .choices = {"adam", "adamw", "sgd"},
         .help = "in Keras' formulas"},
        number("learning_rate", "0.001", 0, 1e6, "step size of the optimiser; with a schedule, its maximum"),
        with(number("beta1", "0.9", 0, 0.9999999, "decay rate of the mean gradient"), {adam}),
        with(number("beta2", "0.999", 0, 0.9999999, "decay rate of the mean squared gradient"), {adam}),
        with(number("epsilon", "1e-7", 0, 1, "added to the denominator, for numerical stability"), {adam}),
        with(number("momentum", "0", 0, 1, "fraction of the previous step that is added"), {sgd}),
        with({.name = "nesterov", .type = ParamType::Boolean, .fallback = "false", .help = "Nesterov's momentum"},
             {sgd, {"momentum", {}}}),
        number("weight_decay", "null", 0, 1,
               "weight decay, multiplied by the learning rate (default: adamw 0.004, otherwise 0)"),
        std::move(exclude),
        std::move(by_norm),
        number("clip_value", "null", 1e-12, 1e12, "clip each gradient to this absolute value"),
        whole("accumulate", "1", 1, "batches", "number of batches whose gradients are averaged for one update"),
        {.name = "class_weights",
         .type = ParamType::Numbers,
         .fallback = "null",
         .min = 0,
         .max = 1e6,
         .choices = {"balanced"},
         .help = "weight of each class in the training loss; balanced: inversely proportional to its frequency",
         .needs = {{"loss", {"cross_entropy", "binary_cross_entropy"}}}},
    };
}

// How the learning rate changes.
std::vector<ParamDescription> schedule_params() {
    ParamDescription warmup = number("warmup_epochs", "0", 0, 1e6, "duration of a linear warm-up of the learning rate");
    warmup.unit = "epochs";
    warmup.below = "epochs";
    warmup.smoke_max = 0;
    ParamDescription every =
        with(number("step_epochs", "10", 1e-6, 1e6, "duration of each step of the learning rate"), {{"schedule", {"step"}}});
    every.unit = "epochs";
    return {
        {.name = "schedule",
         .type = ParamType::Choice,
         .fallback = "constant",
         .choices = {"constant", "step", "cosine"},
         .help = "schedule of the learning rate: step drops every step_epochs, cosine decays to the end (docs/training.md)"},
        std::move(warmup),
        std::move(every),
        with(number("step_factor", "0.1", 1e-9, 1, "factor applied to the learning rate at each step"), {{"schedule", {"step"}}}),
        with(number("rate_floor", "0", 0, 1, "lower bound of the learning rate, as a fraction of learning_rate"), {{"schedule", {"step", "cosine"}}}),
    };
}

// Which epoch is kept, and when training ends early.
std::vector<ParamDescription> stopping_params() {
    ParamDescription fraction =
        number("validation_fraction", "0", 0, 0.99, "fraction of the samples, from the end, held out for validation");
    fraction.excludes = {"val_x"};
    fraction.row_fraction = {.of = "x", .rounded_up = true};
    return {
        {.name = "keep",
         .type = ParamType::Choice,
         .fallback = "best",
         .choices = {"best", "last"},
         .help = "epoch whose weights are the result: the best by monitor, or the last",
         .in_key_at_default = false},
        {.name = "monitor",
         .fallback = "auto",
         .help = "metric that selects the best epoch: val/loss, val/accuracy, train/loss, ...; auto: val/loss if there is "
                 "validation data, else train/loss",
         .metric_of = {"history"}},
        whole("patience", "null", 1, "epochs", "stop early when monitor has not improved for this long (default: never)"),
        with(number("min_delta", "0", 0, 1e12, "smallest change of monitor that counts as an improvement"), {{"patience", {}}}),
        with(whole("start_epoch", "1", 1, "epochs", "first epoch that counts for patience"), {{"patience", {}}}),
        std::move(fraction),
    };
}

// A class's weight in the training loss; undefined where all count the same.
at::Tensor class_weights_of(const Params& params, const Net& net, const Objective& objective, const at::Tensor& target) {
    if (!params.given("class_weights")) return {};
    const std::int64_t classes = objective.has_classes() ? objective.classes() : 0;
    const auto* given = params.value("class_weights").get_if<std::vector<double>>();  // else the word `balanced`
    if (auto misfit = class_weights_misfit(given, classes)) throw stage_error(std::move(misfit->text), std::move(misfit->hint));
    const std::vector<double> weights = given != nullptr ? *given : balanced_weights(objective.prepare(target), classes);
    return at::tensor(weights, at::kFloat).to(net.device());
}

// Keras' validation_split: the first floor(N (1 - fraction)) samples are trained on.
void hold_out(TrainingData& data, double fraction) {
    const std::int64_t samples = data.train.x.size(0);
    const std::int64_t kept = samples - fraction_of_rows(samples, fraction, true);
    if (kept == 0 || kept == samples) {
        throw stage_error(fmt::format("validation_fraction {} of {} samples leaves {} for training and {} for validation",
                                      fraction, samples, kept, samples - kept));
    }
    const auto part = [&](std::int64_t first, std::int64_t count) {
        return Samples{data.train.x.narrow(0, first, count), data.train.target.narrow(0, first, count), data.train.scale};
    };
    data.validation = part(kept, samples - kept);
    data.train = part(0, kept);
}

// Sorted samples are split between classes. Then validation measures what was never trained.
void warn_of_untrained_classes(const TrainingData& data, StageContext& context) {
    const auto classes_in = [](const at::Tensor& target) {
        const at::Tensor classes = std::get<0>(at::_unique(target.to(at::kLong)));
        return std::set<std::int64_t>(classes.data_ptr<std::int64_t>(), classes.data_ptr<std::int64_t>() + classes.numel());
    };
    const auto trained = classes_in(data.train.target);
    std::vector<std::int64_t> untrained;
    std::ranges::set_difference(classes_in(data.validation->target), trained, std::back_inserter(untrained));
    if (untrained.empty()) return;
    context.log(LogLevel::Warning,
                fmt::format("{} {} only in the last {} samples, which validation_fraction holds out, and not in the others: "
                            "shuffle the samples first, for example with the stage `split`",
                            classes_text(untrained), untrained.size() == 1 ? "is" : "are", data.validation->x.size(0)));
}

}  // namespace

std::vector<PortDescription> training_inputs() {
    const std::vector<DType> targets{DType::Float32, DType::UInt8, DType::Int32, DType::Int64};
    return {
        samples_port({.name = "x", .shape = "[N, ...S]", .help = "training samples"}),
        {.name = "target",
         .dtypes = targets,
         .shape = "[N, ...]",
         .help = "class numbers [N], or the desired output of the network, of the same shape"},
        samples_port({.name = "val_x", .shape = "[M, ...S]", .optional = true, .help = "validation samples"}),
        {.name = "val_target", .dtypes = targets, .shape = "[M, ...]", .optional = true, .help = "their targets"}};
}

std::vector<PortDescription> training_outputs(PortDescription::ModelRule rule) {
    const PortDescription::MetricsRule reported{.of_loss = true, .training = true, .validation = "val_x",
                                                .fraction = "validation_fraction"};
    PortDescription::MetricsRule summary = reported;
    summary.names = summary_names();
    summary.also_under = {kLast, kBest, kEpochOfBest};
    return {{.name = "model", .kind = PortKind::Model, .model = std::move(rule),
             .help = "the model with the weights of the best epoch, or of the last: see keep"},
            {.name = "history", .kind = PortKind::History,
             .help = "epoch, step (updates), lr, and every metric, one row per epoch", .metrics = reported},
            {.name = "metrics", .kind = PortKind::Metrics,
             .help = "train/loss, val/accuracy, ... at best_epoch, whose weights are kept; last/... at last_epoch; best/..., "
                     "each one's own best, at epoch_of_best/...; stopped_early: 0 or 1",
             .metrics = summary}};
}

std::vector<ParamDescription> training_params() {
    ParamDescription epochs = whole("epochs", "20", 1, "", "number of passes over the training data");
    epochs.smoke_max = 1;
    epochs.continues = true;
    epochs.continues_unless = {{"schedule", {"cosine"}}};
    ParamDescription batch_size = whole("batch_size", "128", 1, "samples", "samples per step");
    batch_size.smoke_min = 8 * kSmokeSamples;  // one step, even where several sources were put together
    std::vector<ParamDescription> params{
        {.name = "net", .type = ParamType::Network, .help = "list of layers, or the name of a network under `networks:`"},
        {.name = "loss",
         .type = ParamType::Choice,
         .choices = {"mse", "cross_entropy", "binary_cross_entropy"},
         .help = "cross_entropy: class numbers and probabilities; binary_cross_entropy: each output and 0 or 1"},
        std::move(epochs),
        std::move(batch_size),
        {.name = "seed",
         .type = ParamType::Integer,
         .fallback = "0",
         .help = "seed of the initial weights, the order of samples and dropout"},
        {.name = "initialiser",
         .type = ParamType::Choice,
         .fallback = "keras",
         .choices = {"keras", "torch"},
         .help = "keras: Glorot uniform, zero biases; torch: uniform within 1/sqrt(fan_in), biases too"},
        threads_param(), precision_param(), device_param(), convolution_param(), scale_param()};
    for (auto&& more : {optimiser_params(), schedule_params(), stopping_params()})
        params.insert(params.end(), more.begin(), more.end());
    return params;
}

LossRule training_loss() {
    return {.loss = "loss", .model = "model", .target = "target", .validation_target = "val_target", .class_weights = "class_weights"};
}

TrainingOptions training_options(const Params& params) {
    const auto if_given = [&](const char* name) {
        return params.given(name) ? std::optional(params.number(name)) : std::nullopt;
    };
    return {.loss = loss_from_name(params.text("loss")),
            .optimiser = {.kind = optimiser_from_name(params.text("optimiser")),
                          .learning_rate = params.number("learning_rate"),
                          .beta1 = params.number("beta1"),
                          .beta2 = params.number("beta2"),
                          .epsilon = params.number("epsilon"),
                          .momentum = params.number("momentum"),
                          .nesterov = params.boolean("nesterov"),
                          .weight_decay = if_given("weight_decay")},
            .decay = params.text("exclude_from_weight_decay") == "none" ? Decay::All : Decay::Kernels,
            .epochs = params.integer("epochs"),
            .batch_size = params.integer("batch_size"),
            .seed = params.integer("seed"),
            .monitor = params.text("monitor"),
            .keep = params.text("keep") == "last" ? Keep::Last : Keep::Best,
            .schedule = {.kind = schedule_from_name(params.text("schedule")),
                         .warmup_epochs = params.number("warmup_epochs"),
                         .step_epochs = params.number("step_epochs"),
                         .step_factor = params.number("step_factor"),
                         .floor = params.number("rate_floor")},
            .stopping = {.patience = params.given("patience") ? std::optional(params.integer("patience")) : std::nullopt,
                         .min_delta = params.number("min_delta"),
                         .start_epoch = params.integer("start_epoch")},
            .clipping = {.norm = if_given("clip_norm"), .value = if_given("clip_value")},
            .accumulate = params.integer("accumulate"),
            .class_weights = {}};
}

Initialiser initialiser_of(const Params& params) {
    return params.text("initialiser") == "torch" ? Initialiser::Torch : Initialiser::Keras;
}

TrainingData training_data(const StageInputs& inputs, const Params& params) {
    TrainingData data{samples_at(inputs, "x", "target", params), std::nullopt};
    if (connected(inputs, "val_x") != connected(inputs, "val_target")) {
        throw stage_error("val_x and val_target must be connected together: one of them is missing");
    }
    if (connected(inputs, "val_x")) {
        data.validation = samples_at(inputs, "val_x", "val_target", params);
    } else if (params.number("validation_fraction") > 0) {
        hold_out(data, params.number("validation_fraction"));
    }
    return data;
}

StageOutput train(const Net& net, Weights weights, TrainingOptions options, const StageInputs& inputs, StageContext& context) {
    const Params& params = context.params();
    TrainingData data = training_data(inputs, params);
    check_samples(net, data.train, "x", "target");
    const Objective objective(options.loss, net, data.train.target);
    if (data.validation && !connected(inputs, "val_x") && objective.has_classes()) warn_of_untrained_classes(data, context);
    options.class_weights = class_weights_of(params, net, objective, data.train.target);
    Trainer trainer(net, std::move(options), std::move(data), context);
    TrainingState state = trainer.start(std::move(weights));
    trainer.run(state);
    trainer.report_kept(state);
    context.log(LogLevel::Info, trainer.ending(state));
    const Model model{net.network(), net.input(), net.arrays_from(state.best_weights)};
    return {.outputs = {{"model", to_group(model)},
                        {"history", history_group(state.history)},
                        {"metrics", metrics_group(summary_of(state))}},
            .tables = {ending_table(state, trainer.ending(state))}};
}

}  // namespace satdl::stages
