// evaluate: how well a model does on data.
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
#include "stages/trainer.h"

namespace satdl::stages {
namespace {

std::span<const std::int64_t> values_of(const at::Tensor& classes) {
    return {classes.data_ptr<std::int64_t>(), static_cast<std::size_t>(classes.numel())};
}

// A sample without a number has no answer: neither a right one nor class 0, which is what a search for the greatest NaN finds.
void check_finite(const Array& outputs, double loss, int threads) {
    if (const auto found = find_not_finite(outputs, threads))
        throw stage_error(fmt::format("the model gives no number for {} of {} samples; the first of them is sample {}", found->samples,
                                      outputs.shape()[0], found->first),
                          "check x and the model for NaN: `satdl show` counts them");
    if (!std::isfinite(loss)) throw stage_error(fmt::format("the loss is {}", loss), "check target for NaN");
}

// What people look for first.
Table table_of(const Numbers& metrics) {
    Table table{"Evaluation", {"metric", "value"}, {}, {}};
    for (const auto& [name, value] : metrics) table.rows.push_back({name, metric_text(value)});
    std::ranges::stable_partition(table.rows, [](const auto& row) { return row[0] != "loss"; });
    return table;
}

StageOutput run(const StageInputs& inputs, StageContext& context) {
    const ThreadScope threads(context.threads());
    const Params& params = context.params();
    const Model model = model_from(inputs.at("model"));
    const Net net(model.network, model.input, context.precision(), device_for(context));
    Weights weights = net.weights_from(model.weights);
    Samples samples{tensor_of(array_at(inputs, "x")), tensor_of(array_at(inputs, "target"))};
    check_samples(net, samples, "x", "target");
    const Objective objective(loss_from_name(params.text("loss")), net, samples.target, Metrics::All);
    samples.target = objective.prepare(samples.target);

    Shape shape = net.output();
    shape.insert(shape.begin(), samples.x.size(0));
    Predictions predictions{at::empty(shape, at::kFloat), {}};
    if (objective.has_classes()) predictions.classes = at::empty({samples.x.size(0)}, at::kLong);
    const MetricSums sums = evaluate(net, weights, objective, samples, params.integer("batch_size"), context, &predictions);

    Array outputs = array_of(predictions.outputs);
    check_finite(outputs, sums.loss, context.threads());

    Numbers metrics = objective.means(sums);
    StageOutput outcome{{{"predictions", one_array(std::move(outputs))}}, {table_of(metrics)}};
    Confusion confusion;
    if (objective.has_classes()) {
        confusion = confusion_of(values_of(samples.target), values_of(predictions.classes), objective.classes());
        for (auto& number : precision_and_recall(confusion)) metrics.push_back(std::move(number));
        outcome.tables.push_back(table_of(confusion));
    }
    metrics.emplace_back("samples", static_cast<double>(sums.samples));
    outcome.outputs["metrics"] = metrics_group(metrics);
    outcome.outputs["confusion"] = one_array(
        Array::of<std::int64_t>({confusion.classes, confusion.classes}, std::span<const std::int64_t>(confusion.counts)));
    return outcome;
}

}  // namespace

StageEntry evaluate_stage() {
    return {
        .description =
            {
                .kind = "evaluate",
                .version = 3,
                .help = "Evaluate a model on data: loss, accuracies, confusion matrix, predictions",
                .inputs = {{.name = "model", .kind = PortKind::Model},
                           {.name = "x", .dtypes = {DType::Float32}, .shape = "[N, ...]", .help = "samples", .role = PortRole::Images},
                           {.name = "target",
                            .dtypes = {DType::Float32, DType::UInt8, DType::Int32, DType::Int64},
                            .shape = "[N, ...]",
                            .help = "class numbers [N], or the shape of the model's output",
                            .role = PortRole::Labels}},
                .outputs = {{.name = "metrics",
                             .kind = PortKind::Metrics,
                             .help = "loss; if the targets are class numbers: accuracy (the largest output is the right "
                                     "class), binary_accuracy (each output on the right side of 0.5), precision/CLASS, "
                                     "recall/CLASS and their mean over the classes, .../macro; samples",
                             .metrics = PortDescription::MetricsRule{.names = {"samples"}, .of_loss = true}},
                            {.name = "predictions", .dtypes = {DType::Float32}, .shape = "network(model, x)", .role = PortRole::Predictions},
                            {.name = "confusion",
                             .dtypes = {DType::Int64},
                             .shape = "[_, _]",
                             .help = "number of samples of each class (row) predicted as each class (column); empty without classes"}},
                .params = {{.name = "loss",
                            .type = ParamType::Choice,
                            .choices = {"mse", "cross_entropy", "binary_cross_entropy"},
                            .help = "usually the loss that the model was trained with"},
                           {.name = "batch_size",
                            .type = ParamType::Integer,
                            .fallback = "128",
                            .min = 1,
                            .max = 1e6,
                            .unit = "samples",
                            .help = "samples per batch; may change the last bits"},
                           {.name = "threads",
                            .type = ParamType::Threads,
                            .fallback = "auto",
                            .help = "number of threads; changes the last bits"},
                           precision_param(),
                           device_param()},
                .loss = LossRule{.loss = "loss", .model = "model", .target = "target"},
                .numeric = true,
                .memory_fixed_bytes = 512 << 20,
                .memory_per_input_byte = 1.0,
            },
        .run = run,
    };
}

}  // namespace satdl::stages
