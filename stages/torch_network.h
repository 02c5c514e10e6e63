// A network that can be computed: what a Network from YAML means in LibTorch. It holds no weights: those are values of their
// own, passed in, so that the state of a training is one thing that can be copied and written down.
//
// With Precision::Bf16, bfloat16 flows from each convolution or dense layer to the next; weights, outputs and what is
// differentiated are float32 nevertheless.
//
// Weights lie on the network's device, and what it gives does; what it reads may lie on the CPU. Dropout's masks and what augmentation
// does to an image are drawn on the CPU, so that they are the same on every device.
//
// In memory, convolutions work on channels-last tensors (10-25 % faster on CPUs); names and shapes are PyTorch's.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "pipeline/network/network.h"
#include "stages/layers.h"
#include "stages/torch.h"

namespace satdl::stages {

using Weights = std::vector<at::Tensor>;  // in the order of Net::tensors()

struct Pass {
    bool training = false;
    std::size_t frozen_layers = 0;  // the first so many layers are computed as when not training
    std::int64_t seed = 0;          // of dropout and augmentation
    std::int64_t step = 0;          // of dropout and augmentation: counted from 0 through all epochs
};

class Net {
public:
    // `input`: the shape of a sample. Throws Error{Usage} at the layer that does not fit.
    Net(Network network, Shape input, Precision precision = Precision::Fp32, at::Device device = at::kCPU,
        ConvolutionMethod convolution = ConvolutionMethod::Auto);

    [[nodiscard]] const Network& network() const { return network_; }
    [[nodiscard]] const Shape& input() const { return input_; }
    [[nodiscard]] const Shape& output() const { return shapes_.back(); }
    [[nodiscard]] at::Device device() const { return device_; }
    [[nodiscard]] Precision precision() const { return precision_; }
    [[nodiscard]] const std::vector<TensorSpec>& tensors() const { return tensors_; }
    // The position of a layer. Throws Error{StageFailed} ("did you mean") if there is none of this name.
    [[nodiscard]] std::size_t position(const std::string& layer) const;
    [[nodiscard]] const Shape& output_of(std::size_t layer) const { return shapes_[layer]; }
    [[nodiscard]] const std::vector<Shape>& outputs() const { return shapes_; }  // by layer

    // Uninitialised tensors in the memory layout that the layers like.
    [[nodiscard]] Weights blank_weights(at::ScalarType type = at::kFloat) const;
    // Throws Error{StageFailed} where one is missing or has another shape.
    [[nodiscard]] Weights weights_from(const std::map<std::string, Array>& arrays) const;
    [[nodiscard]] std::map<std::string, Array> arrays_from(const Weights& weights) const;

    // The output as it is without the last activation: losses are computed from it without overflow. A training pass updates
    // the moving statistics in `weights`.
    [[nodiscard]] at::Tensor logits(Weights& weights, const at::Tensor& x, const Pass& pass) const;
    [[nodiscard]] ActivationSpec last_activation() const { return activation_of(network_.layers[last_activated_].spec); }
    // The output at a layer, not training.
    [[nodiscard]] at::Tensor features(Weights& weights, const at::Tensor& x, std::size_t layer) const;
    // Batches in memory as the first layer likes them: an uninitialised tensor of `count` samples, on the CPU.
    [[nodiscard]] at::Tensor blank_batch(std::int64_t count, at::ScalarType type = at::kFloat) const;

private:
    [[nodiscard]] std::span<at::Tensor> tensors_of_layer(Weights& weights, std::size_t layer) const;
    [[nodiscard]] LayerPass pass_of(const Pass& pass, std::size_t layer) const;
    [[nodiscard]] at::Tensor apply_layer(Weights& weights, const at::Tensor& x, const Pass& pass, std::size_t layer) const;
    // The layer activated, and with it the batch norm after it if the two are computed as one and it lies before `end`. Gives the
    // position of the next layer.
    [[nodiscard]] std::size_t apply_activated(Weights& weights, at::Tensor& x, const Pass& pass, std::size_t layer, std::size_t end) const;
    [[nodiscard]] at::Tensor activated(std::size_t layer, at::Tensor y) const;
    // float32 whatever the layers compute in, so that its activation and what follows are too.
    [[nodiscard]] at::Tensor before_activation(Weights& weights, const at::Tensor& x, const Pass& pass, std::size_t layer) const;

    Network network_;
    Shape input_;
    Precision precision_;
    at::Device device_;
    ConvolutionMethod convolution_;
    std::vector<Shape> shapes_;          // by layer: its output
    std::vector<TensorSpec> tensors_;    // of all layers
    std::size_t last_activated_ = 0;     // the layer of the last activation; those after it only move numbers about
    std::vector<std::size_t> first_;     // by layer: its first tensor; one more at the end
};

// The parameters of stages that compute networks.
[[nodiscard]] ParamDescription precision_param();
[[nodiscard]] ParamDescription convolution_param();
[[nodiscard]] ConvolutionMethod convolution_of(const Params& params);

}  // namespace satdl::stages
