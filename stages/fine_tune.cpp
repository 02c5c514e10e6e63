// fine_tune: a network that begins with the layers and weights of another one.
#include <utility>

#include "stages/device.h"
#include "stages/model_arrays.h"
#include "stages/ports.h"
#include "stages/stages.h"
#include "stages/tensor.h"
#include "stages/tensor_memory.h"
#include "stages/training.h"

namespace satdl::stages {
namespace {

StageOutput run(const StageInputs& inputs, StageContext& context) {
    const TensorMemory memory;
    const KernelThreadScope threads(context.threads());
    const DeviceScope device(context);
    const Params& params = context.params();
    TrainingOptions options = training_options(params);
    const Shape& x = array_at(inputs, "x").shape();
    const Model model = model_from(inputs.at("base"));
    const Net base(model.network, model.input);
    const std::string until = params.given("until") ? params.text("until") : base.network().layers.back().name;
    const std::size_t reused = base.position(until) + 1;
    Diagnostics diagnostics;
    Network network = extend(base.network(), until, params.network("net"), diagnostics);
    diagnostics.throw_if_any();
    const Net net(std::move(network), Shape(x.begin() + 1, x.end()), context.precision(), device.device(), convolution_of(params));

    Weights weights = net.blank_weights();
    const Weights base_weights = base.weights_from(model.weights);
    for (std::size_t i = 0; i < weights.size() && net.tensors()[i].layer < reused; ++i) weights[i].copy_(base_weights[i]);
    initialise(net, initialiser_of(params), options.seed, reused, weights);
    if (params.boolean("freeze")) options.frozen_layers = reused;
    return train(net, std::move(weights), std::move(options), inputs, context);
}

std::vector<PortDescription> inputs() {
    std::vector<PortDescription> ports{{.name = "base", .kind = PortKind::Model, .help = "the model to start from"}};
    for (PortDescription& port : training_inputs()) ports.push_back(std::move(port));
    return ports;
}

std::vector<ParamDescription> params() {
    std::vector<ParamDescription> params = training_params();
    params.front().help = "layers to append to those of the base, or the name of a network under `networks:`";
    params.push_back(
        {.name = "until", .fallback = "null", .help = "last layer to take from the base (default: all layers)"});
    params.push_back({.name = "freeze", .type = ParamType::Boolean, .fallback = "false",
                      .help = "do not change the layers of the base, nor their batch norm statistics"});
    return params;
}

}  // namespace

StageEntry fine_tune_stage() {
    return {
        .description = {
            .kind = "fine_tune",
            .version = 5,
            .help = "Train a network that starts with the layers and weights of another model",
            .inputs = inputs(),
            .outputs = training_outputs({.net = "net", .input = "x", .base = "base", .until = "until", .freeze = "freeze"}),
            .params = params(),
            .loss = training_loss(),
            .numeric = true,
            .memory_fixed_bytes = kTrainingMemory,
            .memory_per_input_byte = 0,
            .batch_size = "batch_size",
        },
        .run = run,
    };
}

}  // namespace satdl::stages
