#include "stages/training.h"

#include <fmt/format.h>

#include <utility>

#include "stages/model.h"
#include "stages/ports.h"
#include "stages/tensor.h"

namespace satdl::stages {
namespace {

Group history_group(const TrainingHistory& history) {
    const auto epochs = static_cast<std::int64_t>(history.rows.size());
    const auto add = [&](Group& group, const std::string& name, auto value_in) {
        std::vector<double> values;
        for (std::size_t row = 0; row < history.rows.size(); ++row) values.push_back(value_in(row));
        group[name] = Array::of<double>({epochs}, std::span<const double>(values));
    };
    Group group;
    add(group, "epoch", [](std::size_t row) { return static_cast<double>(row + 1); });
    add(group, "step", [&](std::size_t row) { return static_cast<double>(history.steps[row]); });
    for (std::size_t i = 0; i < history.names.size(); ++i) {
        add(group, history.names[i], [&](std::size_t row) { return history.rows[row][i]; });
    }
    return group;
}

// "val/loss" at the best epoch, "last/val/loss" at the last one.
Numbers summary_of(const TrainingState& state) {
    Numbers numbers{{"best_epoch", static_cast<double>(state.best_epoch)}};
    const std::vector<double>& best = state.history.rows[static_cast<std::size_t>(state.best_epoch - 1)];
    for (std::size_t i = 0; i < state.history.names.size(); ++i) {
        numbers.emplace_back(state.history.names[i], best[i]);
        numbers.emplace_back("last/" + state.history.names[i], state.history.rows.back()[i]);
    }
    return numbers;
}

}  // namespace

std::vector<PortDescription> training_inputs() {
    const std::vector<DType> targets{DType::Float32, DType::UInt8, DType::Int32, DType::Int64};
    return {
        {.name = "x", .dtypes = {DType::Float32}, .shape = "[N, ...S]", .help = "training samples"},
        {.name = "target",
         .dtypes = targets,
         .shape = "[N, ...]",
         .help = "class numbers [N], or what the network should give: the shape of its output"},
        {.name = "val_x", .dtypes = {DType::Float32}, .shape = "[M, ...S]", .optional = true, .help = "validation samples"},
        {.name = "val_target", .dtypes = targets, .shape = "[M, ...]", .optional = true, .help = "their targets"}};
}

std::vector<PortDescription> training_outputs(PortDescription::ModelRule rule) {
    return {{.name = "model", .kind = PortKind::Model, .model = std::move(rule), .help = "weights of the best epoch"},
            {.name = "history", .kind = PortKind::History, .help = "epoch, step, and every metric, one row an epoch"},
            {.name = "metrics", .kind = PortKind::Metrics,
             .help = "best_epoch; train/loss, val/accuracy, ... at the best epoch; last/... at the last one"}};
}

std::vector<ParamDescription> training_params() {
    const auto number = [](std::string name, std::string fallback, double least, double most, std::string help) {
        return ParamDescription{.name = std::move(name), .type = ParamType::Number, .fallback = std::move(fallback),
                                .least = least, .most = most, .help = std::move(help)};
    };
    return {
        {.name = "net", .type = ParamType::Network, .help = "the layers, or the name of a network under `networks:`"},
        {.name = "loss",
         .type = ParamType::Choice,
         .choices = {"mse", "cross_entropy", "binary_cross_entropy"},
         .help = "cross_entropy: class numbers against probabilities; binary_cross_entropy: each output against 0 or 1"},
        {.name = "optimiser",
         .type = ParamType::Choice,
         .fallback = "adam",
         .choices = {"adam", "adamw", "sgd"},
         .help = "in Keras' formulas"},
        number("learning_rate", "0.001", 0, 1e6, "the optimiser's step size"),
        number("beta1", "0.9", 0, 0.9999999, "adam, adamw: decay of the mean gradient"),
        number("beta2", "0.999", 0, 0.9999999, "adam, adamw: decay of the mean squared gradient"),
        number("epsilon", "1e-7", 0, 1, "adam, adamw: keeps the division finite"),
        number("momentum", "0", 0, 1, "sgd: share of the last step that is taken again"),
        number("weight_decay", "0.004", 0, 1, "adamw: how fast weights shrink, times the learning rate"),
        {.name = "epochs",
         .type = ParamType::Integer,
         .fallback = "20",
         .least = 1,
         .most = 1e6,
         .help = "how often every training sample is seen"},
        {.name = "batch_size",
         .type = ParamType::Integer,
         .fallback = "128",
         .least = 1,
         .most = 1e6,
         .unit = "samples",
         .help = "samples a step"},
        {.name = "seed",
         .type = ParamType::Integer,
         .fallback = "0",
         .help = "decides initial weights, the order of samples and dropout"},
        {.name = "monitor",
         .fallback = "auto",
         .help = "the metric whose best epoch is kept: val/loss, val/accuracy, train/loss, ...; auto: val/loss if there is "
                 "validation data, else train/loss"},
        {.name = "initialiser",
         .type = ParamType::Choice,
         .fallback = "keras",
         .choices = {"keras", "torch"},
         .help = "keras: Glorot uniform, zero biases; torch: uniform within 1/sqrt(fan_in), biases too"},
        {.name = "threads", .type = ParamType::Threads, .fallback = "auto", .help = "cores to use; changes the last bits"}};
}

TrainingOptions training_options(const Params& params) {
    return {.loss = loss_from_name(params.text("loss")),
            .optimiser = {.kind = optimiser_from_name(params.text("optimiser")),
                          .learning_rate = params.number("learning_rate"),
                          .beta1 = params.number("beta1"),
                          .beta2 = params.number("beta2"),
                          .epsilon = params.number("epsilon"),
                          .momentum = params.number("momentum"),
                          .weight_decay = params.number("weight_decay")},
            .epochs = params.integer("epochs"),
            .batch_size = params.integer("batch_size"),
            .seed = params.integer("seed"),
            .monitor = params.text("monitor")};
}

Initialiser initialiser_of(const Params& params) {
    return params.text("initialiser") == "torch" ? Initialiser::Torch : Initialiser::Keras;
}

TrainingData training_data(const StageInputs& inputs) {
    TrainingData data{{tensor_of(array_at(inputs, "x")), tensor_of(array_at(inputs, "target"))}, std::nullopt};
    if (connected(inputs, "val_x") != connected(inputs, "val_target")) {
        throw stage_error("val_x and val_target go together: one of them is missing");
    }
    if (connected(inputs, "val_x")) {
        data.validation = Samples{tensor_of(array_at(inputs, "val_x")), tensor_of(array_at(inputs, "val_target"))};
    }
    return data;
}

Outcome train(const Net& net, Weights weights, TrainingOptions options, const StageInputs& inputs, StageContext& context) {
    Trainer trainer(net, std::move(options), training_data(inputs), context);
    TrainingState state = trainer.start(std::move(weights));
    trainer.run(state);
    const Model model{net.network(), net.input(), net.arrays_from(state.best_weights)};
    return {.outputs = {{"model", to_group(model)},
                        {"history", history_group(state.history)},
                        {"metrics", metrics_group(summary_of(state))}},
            .tables = {}};
}

}  // namespace satdl::stages
