// features: what a model gives, at any of its layers.
#include <algorithm>
#include <utility>

#include "stages/device.h"
#include "stages/finite.h"
#include "stages/model_arrays.h"
#include "stages/ports.h"
#include "stages/samples.h"
#include "stages/stages.h"
#include "stages/tensor.h"
#include "stages/tensor_memory.h"
#include "stages/torch_network.h"

namespace satdl::stages {
namespace {

StageOutput run(const StageInputs& inputs, StageContext& context) {
    const TensorMemory memory;
    const KernelThreadScope threads(context.threads());
    const DeviceScope device(context);
    const at::NoGradGuard no_grad;
    const Params& params = context.params();
    const Model model = model_from(inputs.at("model"));
    const Net net(model.network, model.input, context.precision(), device.device(), convolution_of(params));
    Weights weights = net.weights_from(model.weights);
    const std::size_t layer = params.given("layer") ? net.position(params.text("layer")) : net.network().layers.size() - 1;

    const Samples x = samples_at(inputs, "x", params);
    const std::int64_t samples = x.x.size(0);
    const std::int64_t batch_size = std::min(params.integer("batch_size"), std::max<std::int64_t>(samples, 1));
    Shape shape = net.output_of(layer);
    shape.insert(shape.begin(), samples);
    FreshArray features(DType::Float32, std::move(shape));
    const at::Tensor values = tensor_of(features);
    const at::Tensor batch = net.blank_batch(batch_size);
    for (std::int64_t first = 0, step = 1; first < samples; first += batch_size, ++step) {
        if (context.stop_requested()) throw Stopped{};
        const std::int64_t count = std::min(batch_size, samples - first);
        const at::Tensor some = batch.narrow(0, 0, count);
        gather(x, first, some);
        was_gathered(x, first, count);
        will_gather(x, first + batch_size, batch_size);
        values.narrow(0, first, count).copy_(net.features(weights, some, layer));
        context.progress({.step = step, .steps = (samples + batch_size - 1) / batch_size, .metrics = {}});
    }
    Array result = std::move(features).finish();
    warn_of_not_finite(result, "features", context);
    return {.outputs = {{"features", one_array(std::move(result))}}, .tables = {}};
}

}  // namespace

StageEntry features_stage() {
    return {
        .description = {
            .kind = "features",
            .version = 4,
            .help = "Compute the output of a model, or of one of its layers, for samples",
            .inputs = {{.name = "model", .kind = PortKind::Model},
                       samples_port({.name = "x", .shape = "[N, ...]", .help = "samples", .role = PortRole::Images})},
            .outputs = {{.name = "features", .dtypes = {DType::Float32}, .shape = "network(model, x, layer)",
                         .help = "output of the layer, after its activation", .role = PortRole::DenoisedImages}},
            .params = {{.name = "layer", .fallback = "null", .help = "name of the layer (default: the last)"},
                       {.name = "batch_size", .type = ParamType::Integer, .fallback = "128", .min = 1, .max = 1e6,
                        .unit = "samples", .help = "samples per batch; may change the last bits"},
                       threads_param(), precision_param(), device_param(), convolution_param(), scale_param()},
            .numeric = true,
            .memory_fixed_bytes = 256 << 20,
            .memory_per_input_byte = 0,
            .memory_per_output_byte = 1.0,
            .large_outputs_in_files = true,
            .batch_size = "batch_size",
        },
        .run = run,
    };
}

}  // namespace satdl::stages
