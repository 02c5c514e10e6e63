// evaluate, evaluate_predictions: how well a model does on data; the second is given what a model elsewhere made of them.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "pipeline/core/metric_text.h"
#include "stages/classification.h"
#include "stages/device.h"
#include "stages/finite.h"
#include "stages/model_arrays.h"
#include "stages/ports.h"
#include "stages/stages.h"
#include "stages/tensor.h"
#include "stages/tensor_memory.h"
#include "stages/trainer.h"

namespace satdl::stages {
namespace {

std::span<const std::int64_t> values_of(const at::Tensor& classes) {
    return {classes.data_ptr<std::int64_t>(), static_cast<std::size_t>(classes.numel())};
}

// A sample without a number has no answer: neither a right one nor class 0, which is what a search for the greatest NaN finds.
void check_finite(const Array& outputs, int threads, const std::string& what, const std::string& hint) {
    if (const auto found = find_not_finite(outputs, threads))
        throw stage_error(
            fmt::format("{} for {} of {} samples; the first of them is sample {}", what, found->samples, outputs.shape()[0], found->first),
            hint);
}

void check_finite(double loss) {
    if (!std::isfinite(loss)) throw stage_error(fmt::format("the loss is {}", loss), "check target for NaN");
}

// What people look for first.
Table table_of(const Numbers& metrics) {
    Table table{"Evaluation", {"metric", "value"}, {}, {}};
    for (const auto& [name, value] : metrics) table.rows.push_back({name, metric_text(value)});
    std::ranges::stable_partition(table.rows, [](const auto& row) { return row[0] != "loss"; });
    return table;
}

StageOutput outcome_of(const Objective& objective, const MetricSums& sums, const at::Tensor& target, const Predictions& predictions,
                       Array outputs) {
    Numbers metrics = objective.means(sums);
    StageOutput outcome{{{"predictions", one_array(std::move(outputs))}}, {table_of(metrics)}};
    Confusion confusion;
    if (objective.has_classes()) {
        confusion = confusion_of(values_of(target), values_of(predictions.classes), objective.classes());
        for (auto& number : precision_and_recall(confusion)) metrics.push_back(std::move(number));
        outcome.tables.push_back(table_of(confusion));
    }
    metrics.emplace_back("samples", static_cast<double>(sums.samples));
    outcome.outputs["metrics"] = metrics_group(metrics);
    outcome.outputs["confusion"] = one_array(
        Array::of<std::int64_t>({confusion.classes, confusion.classes}, std::span<const std::int64_t>(confusion.counts)));
    return outcome;
}

StageOutput run_model(const StageInputs& inputs, StageContext& context) {
    const TensorMemory memory;
    const KernelThreadScope threads(context.threads());
    const DeviceScope device(context);
    const Params& params = context.params();
    const Model model = model_from(inputs.at("model"));
    const Net net(model.network, model.input, context.precision(), device.device(), convolution_of(params));
    Weights weights = net.weights_from(model.weights);
    Samples samples = samples_at(inputs, "x", "target", params);
    check_samples(net, samples, "x", "target");
    const Objective objective(loss_from_name(params.text("loss")), net, samples.target, Metrics::All);
    samples.target = objective.prepare(samples.target);

    Shape shape = net.output();
    shape.insert(shape.begin(), samples.x.size(0));
    FreshArray given(DType::Float32, std::move(shape));
    Predictions predictions{tensor_of(given), {}};
    if (objective.has_classes()) predictions.classes = at::empty({samples.x.size(0)}, at::kLong);
    const MetricSums sums = evaluate(net, weights, objective, samples, params.integer("batch_size"), context, &predictions);

    Array outputs = std::move(given).finish();
    check_finite(outputs, context.threads(), "the model gives no number", "check x and the model for NaN: `satdl show` counts them");
    check_finite(sums.loss);
    return outcome_of(objective, sums, samples.target, predictions, std::move(outputs));
}

// ---- of predictions that were made elsewhere ----

void check_probabilities(const at::Tensor& outputs, const std::string& loss) {
    const auto min = outputs.min().item<double>(), max = outputs.max().item<double>();
    if (min < 0 || max > 1)
        throw stage_error(fmt::format("{} needs probabilities, but the predictions are {:g} to {:g}", loss, min, max),
                          "if they are logits, before a softmax or sigmoid, say so: from_logits: true");
    if (loss != "cross_entropy" || outputs.dim() != 2) return;
    const at::Tensor empty = at::nonzero(outputs.sum(1).eq(0));
    if (empty.size(0) > 0)
        throw stage_error(fmt::format("the probabilities of sample {} are all 0", empty[0][0].item<std::int64_t>()),
                          "cross_entropy needs at least one above 0 in each row");
}

Objective objective_of(const at::Tensor& outputs, const at::Tensor& target, const Params& params) {
    const LossKind loss = loss_from_name(params.text("loss"));
    Shape sample(outputs.sizes().begin() + 1, outputs.sizes().end());
    if (loss == LossKind::Mse || params.boolean("from_logits")) return {loss, {}, std::move(sample), target, Metrics::All};
    check_probabilities(outputs, params.text("loss"));
    return Objective::of_probabilities(loss, std::move(sample), target, Metrics::All);
}

StageOutput run_predictions(const StageInputs& inputs, StageContext& context) {
    const at::NoGradGuard no_grad;
    const TensorMemory memory;
    const KernelThreadScope threads(context.threads());
    Predictions predictions{tensor_of(array_at(inputs, "predictions")).to(at::kFloat), {}};
    Array outputs = array_of(predictions.outputs);
    check_finite(outputs, context.threads(), "the predictions are no numbers", "check the program that made them for NaN");
    at::Tensor target = tensor_of(array_at(inputs, "target"));
    const Objective objective = objective_of(predictions.outputs, target, context.params());
    target = objective.prepare(target);
    if (objective.has_classes()) predictions.classes = objective.predicted(predictions.outputs);
    MetricSums sums;
    objective.add_to(sums, predictions.outputs, target, objective.loss(predictions.outputs, target).item<double>());
    check_finite(sums.loss);
    return outcome_of(objective, sums, target, predictions, std::move(outputs));
}

// ---- descriptions ----

PortDescription target_port() {
    return {.name = "target",
            .dtypes = {DType::Float32, DType::UInt8, DType::Int32, DType::Int64},
            .shape = "[N, ...]",
            .help = "class numbers [N], or the shape of the model's output",
            .role = PortRole::Labels};
}

PortDescription metrics_port() {
    return {.name = "metrics",
            .kind = PortKind::Metrics,
            .help = "loss; if the targets are class numbers: accuracy (the largest output is the right class), binary_accuracy (each "
                    "output on the right side of 0.5), precision/CLASS, recall/CLASS and their mean over the classes, .../macro; samples",
            .metrics = PortDescription::MetricsRule{.names = {"samples"}, .of_loss = true}};
}

PortDescription confusion_port() {
    return {.name = "confusion",
            .dtypes = {DType::Int64},
            .shape = "[_, _]",
            .help = "number of samples of each class (row) predicted as each class (column); empty without classes"};
}

ParamDescription loss_param() {
    return {.name = "loss",
            .type = ParamType::Choice,
            .choices = {"mse", "cross_entropy", "binary_cross_entropy"},
            .help = "usually the loss that the model was trained with"};
}

}  // namespace

StageEntry evaluate_stage() {
    return {
        .description =
            {
                .kind = "evaluate",
                .version = 5,
                .help = "Evaluate a model on data: loss, accuracies, confusion matrix, predictions",
                .inputs = {{.name = "model", .kind = PortKind::Model},
                           samples_port({.name = "x", .shape = "[N, ...]", .help = "samples", .role = PortRole::Images}),
                           target_port()},
                .outputs = {metrics_port(),
                            {.name = "predictions", .dtypes = {DType::Float32}, .shape = "network(model, x)", .role = PortRole::Predictions},
                            confusion_port()},
                .params = {loss_param(),
                           {.name = "batch_size",
                            .type = ParamType::Integer,
                            .fallback = "128",
                            .min = 1,
                            .max = 1e6,
                            .unit = "samples",
                            .help = "samples per batch; may change the last bits"},
                           threads_param(),
                           precision_param(),
                           device_param(),
                           convolution_param(),
                           scale_param()},
                .loss = LossRule{.loss = "loss", .model = "model", .target = "target"},
                .numeric = true,
                .memory_fixed_bytes = 256 << 20,
                .memory_per_input_byte = 0,
                .memory_per_output_byte = 1.0,
                .large_outputs_in_files = true,
                .batch_size = "batch_size",
            },
        .run = run_model,
    };
}

StageEntry evaluate_predictions_stage() {
    return {
        .description =
            {
                .kind = "evaluate_predictions",
                .version = 2,
                .help = "Evaluate predictions of a model elsewhere, such as a Python program's: the metrics of `evaluate`",
                .inputs = {{.name = "predictions",
                            .dtypes = {DType::Float32, DType::Float64},
                            .shape = "[N, ...P]",
                            .help = "what the model gave for each sample: [N, classes] for class numbers"},
                           target_port(),
                           {.name = "x",
                            .dtypes = {DType::Float32},
                            .shape = "[N, ...]",
                            .optional = true,
                            .help = "the samples, if the report should show those that were classified most wrongly",
                            .role = PortRole::Images}},
                .outputs = {metrics_port(),
                            {.name = "predictions",
                             .dtypes = {DType::Float32},
                             .shape = "[N, ...P]",
                             .help = "as they arrived, in float32",
                             .role = PortRole::Predictions},
                            confusion_port()},
                .params = {loss_param(),
                           {.name = "from_logits",
                            .type = ParamType::Boolean,
                            .fallback = "false",
                            .help = "the predictions are logits; otherwise probabilities, of which those below 1e-7 count as 1e-7",
                            .needs = {{.param = "loss", .values = {"cross_entropy", "binary_cross_entropy"}}}},
                           threads_param()},
                .loss = LossRule{.loss = "loss", .model = "predictions", .target = "target"},
                .numeric = true,
                .memory_fixed_bytes = 256 << 20,
                .memory_per_input_byte = 4.0,
            },
        .run = run_predictions,
    };
}

}  // namespace satdl::stages
