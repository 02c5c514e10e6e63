// train: a network from scratch.
#include <utility>

#include "stages/device.h"
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
    const TrainingOptions options = training_options(params);
    const Shape& x = array_at(inputs, "x").shape();
    const Net net(params.network("net"), Shape(x.begin() + 1, x.end()), context.precision(), device.device(), convolution_of(params));
    Weights weights = net.blank_weights();
    initialise(net, initialiser_of(params), options.seed, 0, weights);
    return train(net, std::move(weights), options, inputs, context);
}

}  // namespace

StageEntry train_stage() {
    return {
        .description = {
            .kind = "train",
            .version = 5,
            .help = "Train a network from scratch and keep its best or its last epoch",
            .inputs = training_inputs(),
            .outputs = training_outputs({.net = "net", .input = "x"}),
            .params = training_params(),
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
