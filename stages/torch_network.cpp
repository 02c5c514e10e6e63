#include "stages/torch_network.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "pipeline/network/loss_rules.h"
#include "pipeline/network/network_summary.h"
#include "stages/device.h"
#include "stages/ports.h"
#include "stages/tensor.h"

namespace satdl::stages {
namespace {

at::MemoryFormat layout_of(std::size_t dimensions) {
    return dimensions == 4 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
}

at::Tensor blank(const Shape& shape, at::ScalarType type, at::Device device) {
    return at::empty(shape, at::TensorOptions(type).device(device).memory_format(layout_of(shape.size())));
}

Shape with_count(std::int64_t count, const Shape& sample) {
    Shape shape{count};
    shape.insert(shape.end(), sample.begin(), sample.end());
    return shape;
}

}  // namespace

Net::Net(Network network, Shape input, Precision precision, at::Device device, ConvolutionMethod convolution)
    : network_(std::move(network)), input_(std::move(input)), precision_(precision), device_(device), convolution_(convolution) {
    Diagnostics diagnostics;
    const std::vector<LayerSummary> summary = summarise(network_, input_, diagnostics);
    diagnostics.throw_if_any();
    SATDL_CHECK(!network_.layers.empty() && summary.size() == network_.layers.size(), "a network without layers");
    for (std::size_t i = 0; i < network_.layers.size(); ++i) {
        first_.push_back(tensors_.size());
        for (TensorSpec& spec : tensors_of(network_.layers[i], i == 0 ? input_ : shapes_.back())) {
            spec.layer = i;
            tensors_.push_back(std::move(spec));
        }
        shapes_.push_back(summary[i].output);
    }
    first_.push_back(tensors_.size());
    last_activated_ = layer_of_last_activation(network_, shapes_);
}

std::size_t Net::position(const std::string& layer) const {
    const auto found = std::ranges::find(network_.layers, layer, &Layer::name);
    if (found == network_.layers.end()) {
        throw stage_error(fmt::format("the model has no layer '{}'", layer), did_you_mean(layer, network_.layer_names()));
    }
    return static_cast<std::size_t>(found - network_.layers.begin());
}

Weights Net::blank_weights(at::ScalarType type) const {
    Weights weights;
    for (const TensorSpec& spec : tensors_) weights.push_back(blank(spec.shape, type, device_));
    return weights;
}

Weights Net::weights_from(const std::map<std::string, Array>& arrays) const {
    Weights weights = blank_weights();
    for (std::size_t i = 0; i < weights.size(); ++i) {
        const auto found = arrays.find(tensors_[i].name);
        if (found == arrays.end()) throw stage_error(fmt::format("the model has no tensor '{}'", tensors_[i].name));
        if (found->second.shape() != tensors_[i].shape || found->second.dtype() != DType::Float32) {
            throw stage_error(fmt::format("the model's tensor '{}' is {} {}, but its network needs float32 {}", tensors_[i].name,
                                          name_of(found->second.dtype()), shape_text(found->second.shape()),
                                          shape_text(tensors_[i].shape)));
        }
        weights[i].copy_(tensor_of(found->second));
    }
    return weights;
}

std::map<std::string, Array> Net::arrays_from(const Weights& weights) const {
    std::map<std::string, Array> arrays;
    for (std::size_t i = 0; i < weights.size(); ++i) {
        // A copy of its own: contiguous() alone would share a tensor that the training keeps changing.
        arrays[tensors_[i].name] = array_of(weights[i].detach().clone(at::MemoryFormat::Contiguous));
    }
    return arrays;
}

std::span<at::Tensor> Net::tensors_of_layer(Weights& weights, std::size_t layer) const {
    return {weights.data() + first_[layer], first_[layer + 1] - first_[layer]};
}

LayerPass Net::pass_of(const Pass& pass, std::size_t layer) const {
    const auto index = static_cast<std::uint32_t>(layer);
    const auto stream = [&](Purpose purpose) { return Stream(pass.seed, purpose, index, static_cast<std::uint32_t>(pass.step)); };
    const bool training = pass.training && layer >= pass.frozen_layers;
    return {training, stream(Purpose::Dropout), stream(Purpose::Augmentation), precision_, convolution_};
}

// Without its activation.
at::Tensor Net::apply_layer(Weights& weights, const at::Tensor& x, const Pass& pass, std::size_t layer) const {
    return apply(network_.layers[layer].spec, x, tensors_of_layer(weights, layer), pass_of(pass, layer));
}

std::size_t Net::apply_activated(Weights& weights, at::Tensor& x, const Pass& pass, std::size_t layer, std::size_t end) const {
    const auto* conv = std::get_if<Conv>(&network_.layers[layer].spec);
    const bool has_relu = conv != nullptr && conv->activation == Activation::Relu;
    if (conv == nullptr || !(has_relu || conv->activation == Activation::None) || !has_kernels(x, pass_of(pass, layer))) {
        x = activated(layer, apply_layer(weights, x, pass, layer));
        return layer + 1;
    }
    const auto* norm = layer + 1 < end ? std::get_if<BatchNorm>(&network_.layers[layer + 1].spec) : nullptr;
    if (norm != nullptr && !pass_of(pass, layer + 1).training) norm = nullptr;
    const std::span<at::Tensor> norm_tensors = norm == nullptr ? std::span<at::Tensor>() : tensors_of_layer(weights, layer + 1);
    x = apply_fused(*conv, x, tensors_of_layer(weights, layer), norm, norm_tensors, pass_of(pass, layer));
    return layer + (norm == nullptr ? 1 : 2);
}

at::Tensor Net::activated(std::size_t layer, at::Tensor y) const {
    const LayerSpec& spec = network_.layers[layer].spec;
    return activate(activation_of(spec), std::move(y), !std::holds_alternative<Activate>(spec));
}

at::Tensor Net::before_activation(Weights& weights, const at::Tensor& x, const Pass& pass, std::size_t layer) const {
    at::Tensor y = sent_to(device_, x);
    for (std::size_t i = 0; i < layer;) i = apply_activated(weights, y, pass, i, layer);
    y = apply_layer(weights, y, pass, layer);
    return y.scalar_type() == at::kBFloat16 ? y.to(at::kFloat) : y;
}

at::Tensor Net::logits(Weights& weights, const at::Tensor& x, const Pass& pass) const {
    at::Tensor y = before_activation(weights, x, pass, last_activated_);
    for (std::size_t i = last_activated_ + 1; i < network_.layers.size(); ++i) y = apply_layer(weights, y, pass, i);
    return y;
}

at::Tensor Net::features(Weights& weights, const at::Tensor& x, std::size_t layer) const {
    return activated(layer, before_activation(weights, x, {}, layer));
}

ParamDescription precision_param() {
    return {.name = "precision", .type = ParamType::Precision, .fallback = "fp32",
            .help = "precision of convolutions and dense layers; auto: bf16 if the processor or GPU has instructions for it"};
}

ParamDescription convolution_param() {
    return {.name = "convolution", .type = ParamType::Choice, .fallback = "auto", .choices = {"auto", "direct"},
            .help = "auto: by Winograd's algorithm where it is faster (fp32, cpu); direct: smaller rounding errors; changes the last bits"};
}

ConvolutionMethod convolution_of(const Params& params) {
    return params.text("convolution") == "direct" ? ConvolutionMethod::Direct : ConvolutionMethod::Auto;
}

at::Tensor Net::blank_batch(std::int64_t count, at::ScalarType type) const {
    return blank(with_count(count, input_), type, at::kCPU);
}

}  // namespace satdl::stages
