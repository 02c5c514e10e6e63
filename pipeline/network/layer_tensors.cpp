#include "pipeline/network/layer_tensors.h"

#include <utility>
#include <variant>

namespace satdl {
namespace {

template <typename... Functions>
struct Overloaded : Functions... {
    using Functions::operator()...;
};
template <typename... Functions>
Overloaded(Functions...) -> Overloaded<Functions...>;  // clang 16 needs it

std::vector<TensorSpec> kernel_and_bias(Shape kernel, bool bias, std::int64_t fan_in, std::int64_t fan_out) {
    const std::int64_t outputs = kernel[0];
    std::vector<TensorSpec> specs{{"weight", std::move(kernel), TensorRole::Kernel, fan_in, fan_out}};
    if (bias) specs.push_back({"bias", {outputs}, TensorRole::Bias, fan_in, fan_out});
    return specs;
}

}  // namespace

std::vector<TensorSpec> tensors_of(const Layer& layer, const Shape& input) {
    std::vector<TensorSpec> specs = std::visit(
        Overloaded{
            [&](const Conv& conv) {
                const std::int64_t area = conv.kernel * conv.kernel;
                return kernel_and_bias({conv.filters, input[0], conv.kernel, conv.kernel}, conv.bias, input[0] * area,
                                       conv.filters * area);
            },
            [&](const Dense& dense) { return kernel_and_bias({dense.units, input[0]}, dense.bias, input[0], dense.units); },
            [&](const BatchNorm&) {
                const Shape channels{input[0]};
                return std::vector<TensorSpec>{{"weight", channels, TensorRole::Scale},
                                               {"bias", channels, TensorRole::Offset},
                                               {"running_mean", channels, TensorRole::MovingMean},
                                               {"running_var", channels, TensorRole::MovingVariance}};
            },
            [&](const LayerNorm&) {
                return std::vector<TensorSpec>{{"weight", {input[0]}, TensorRole::Scale},
                                               {"bias", {input[0]}, TensorRole::Offset}};
            },
            [](const auto&) { return std::vector<TensorSpec>{}; }},
        layer.spec);
    for (TensorSpec& spec : specs) spec.name = layer.name + "." + spec.name;
    return specs;
}

}  // namespace satdl
