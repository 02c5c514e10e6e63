#include "stages/initialise.h"

#include <cmath>
#include <vector>

namespace satdl::stages {
namespace {

// The tensors of one layer draw from streams of their own: the kernel from 0, the bias from 1.
constexpr std::uint32_t kKernelStream = 0;
constexpr std::uint32_t kBiasStream = 1;

void fill_uniform(at::Tensor& tensor, double limit, const Stream& stream) {
    at::Tensor values = at::empty(tensor.sizes(), at::kFloat);
    auto* to = values.data_ptr<float>();
    for (std::int64_t i = 0; i < values.numel(); ++i) {
        to[i] = static_cast<float>((2 * stream.uniform(static_cast<std::uint64_t>(i)) - 1) * limit);
    }
    tensor.copy_(values);
}

double limit_of(const TensorSpec& spec, Initialiser initialiser) {
    if (initialiser == Initialiser::Torch) return 1 / std::sqrt(static_cast<double>(spec.fan_in));
    return spec.role == TensorRole::Bias ? 0 : std::sqrt(6.0 / static_cast<double>(spec.fan_in + spec.fan_out));
}

}  // namespace

void initialise(const Net& net, Initialiser initialiser, std::int64_t seed, std::size_t first_layer, Weights& weights) {
    for (std::size_t i = 0; i < weights.size(); ++i) {
        const TensorSpec& spec = net.tensors()[i];
        if (spec.layer < first_layer) continue;
        switch (spec.role) {
            case TensorRole::Kernel:
            case TensorRole::Bias: {
                const Stream stream(seed, Purpose::Weights, static_cast<std::uint32_t>(spec.layer),
                                    spec.role == TensorRole::Kernel ? kKernelStream : kBiasStream);
                fill_uniform(weights[i], limit_of(spec, initialiser), stream);
                break;
            }
            case TensorRole::Scale:
            case TensorRole::MovingVariance: weights[i].fill_(1); break;
            case TensorRole::Offset:
            case TensorRole::MovingMean: weights[i].zero_(); break;
        }
    }
}

}  // namespace satdl::stages
