// evaluate: how well a model does on data.
#include <algorithm>

#include "stages/model.h"
#include "stages/ports.h"
#include "stages/stages.h"
#include "stages/tensor.h"
#include "stages/trainer.h"

namespace satdl::stages {
namespace {

Outcome run(const StageInputs& inputs, StageContext& context) {
    const ThreadScope threads(context.threads());
    const Params& params = context.params();
    const Model model = model_from(inputs.at("model"));
    const Net net(model.network, model.input);
    Weights weights = net.weights_from(model.weights);
    Samples samples{tensor_of(array_at(inputs, "x")), tensor_of(array_at(inputs, "target"))};
    check_samples(net, samples, "x", "target");
    const Objective objective(loss_from_name(params.text("loss")), net.last_activation(), net.output(), samples.target);
    samples.target = objective.prepare(samples.target);

    Shape shape = net.output();
    shape.insert(shape.begin(), samples.x.size(0));
    at::Tensor predictions = at::empty(shape, at::kFloat);
    const MetricSums sums = evaluate(net, weights, objective, samples, params.integer("batch_size"), context, &predictions);
    Numbers metrics = objective.means(sums);
    metrics.emplace_back("samples", static_cast<double>(sums.samples));
    return {.outputs = {{"metrics", metrics_group(metrics)}, {"predictions", one_array(array_of(predictions))}},
            .tables = {}};
}

}  // namespace

StageEntry evaluate_stage() {
    return {
        .description =
            {
                .kind = "evaluate",
                .help = "Loss and accuracy of a model on data, and what it predicts",
                .inputs = {{.name = "model", .kind = PortKind::Model},
                           {.name = "x", .dtypes = {DType::Float32}, .shape = "[N, ...]", .help = "samples"},
                           {.name = "target",
                            .dtypes = {DType::Float32, DType::UInt8, DType::Int32, DType::Int64},
                            .shape = "[N, ...]",
                            .help = "class numbers [N], or the shape of the model's output"}},
                .outputs = {{.name = "metrics",
                             .kind = PortKind::Metrics,
                             .help =
                                 "loss; accuracy, where the targets are class numbers; binary_accuracy, where outputs are "
                                 "sigmoids or the loss is binary; samples"},
                            {.name = "predictions", .dtypes = {DType::Float32}, .shape = "network(model, x)"}},
                .params = {{.name = "loss",
                            .type = ParamType::Choice,
                            .choices = {"mse", "cross_entropy", "binary_cross_entropy"},
                            .help = "usually what the model was trained with"},
                           {.name = "batch_size",
                            .type = ParamType::Integer,
                            .fallback = "128",
                            .least = 1,
                            .most = 1e6,
                            .unit = "samples",
                            .help = "samples at a time; may change the last bits"},
                           {.name = "threads",
                            .type = ParamType::Threads,
                            .fallback = "auto",
                            .help = "cores to use; changes the last bits"}},
                .numeric = true,
                .memory_fixed_bytes = 512 << 20,
                .memory_per_input_byte = 1.0,
            },
        .run = run,
    };
}

}  // namespace satdl::stages
