// A neural network as a list of layers from YAML: names, shapes, parameter counts and cost. No arithmetic happens here,
// and no LibTorch: planning needs shapes and costs in milliseconds; `stages/net` builds the modules from this same list.
//
//   net:
//     - {conv: 32, kernel: 3, activation: relu, name: first}   # the layer's main option may stand beside its kind
//     - batch_norm
//     - {repeat: 2, layers: [{conv: {filters: 64}}, relu, batch_norm]}
//     - {dense: 10, activation: softmax}
//
// Layers without a name get their kind and a number as Keras does: conv_1, conv_2, batch_norm_1, ...
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "pipeline/array.h"
#include "pipeline/value.h"

namespace satdl {

enum class Activation { None, Relu, LeakyRelu, Sigmoid, Tanh, Softmax };
enum class Padding { Same, Valid };
enum class PoolKind { Max, Average };

// 2-d convolution over [N, C, H, W]; padding `same` keeps ceil(size / stride).
struct Conv {
    std::int64_t filters = 0;
    std::int64_t kernel = 3;
    std::int64_t stride = 1;
    Padding padding = Padding::Same;
    bool bias = true;
    Activation activation = Activation::None;
};
struct Dense {  // over [N, features]
    std::int64_t units = 0;
    bool bias = true;
    Activation activation = Activation::None;
};
// Over channels of [N, C, H, W] or features of [N, C]. Keras' sense of momentum: moving = momentum * moving + (1 - momentum) * batch.
struct BatchNorm {
    double momentum = 0.99;
    double epsilon = 1e-3;
};
struct Pool {
    PoolKind kind = PoolKind::Max;
    std::int64_t size = 2;
    std::int64_t stride = 2;  // default: size
};
struct Upsample {  // nearest neighbour
    std::int64_t factor = 2;
};
struct Flatten {};
struct Dropout {
    double rate = 0.5;  // the share that is dropped
};
struct Activate {
    Activation activation = Activation::Relu;
    double negative_slope = 0.3;  // of leaky_relu (Keras' default)
};

using LayerSpec = std::variant<Conv, Dense, BatchNorm, Pool, Upsample, Flatten, Dropout, Activate>;

struct Layer {
    std::string name;
    LayerSpec spec;
    Place place;

    [[nodiscard]] std::string_view kind() const;  // "conv", "dense", "batch_norm", "max_pool", ..., "relu", ...
};

struct Network {
    std::vector<Layer> layers;

    [[nodiscard]] const Layer* find(std::string_view name) const;
    [[nodiscard]] std::vector<std::string> layer_names() const;
};

// Reads a list of layers; every mistake (unknown layer or option, wrong type, out of range, double name) goes to
// `diagnostics`, with its place.
[[nodiscard]] Network parse_network(const Value& list, Diagnostics& diagnostics);

// The same network spelled in one way: every option present, every layer named, `repeat` unrolled. Two networks are the
// same exactly where to_value(...).canonical() is. parse_network(to_value(n)) == n.
[[nodiscard]] Value to_value(const Network& network);

struct LayerSummary {
    std::string name;
    std::string_view kind;
    Shape output;                        // without the batch dimension
    std::int64_t trainable = 0;          // parameters
    std::int64_t non_trainable = 0;      // batch norm's moving mean and variance
    std::int64_t multiply_adds = 0;      // of one sample's forward pass
};

// Shapes and costs layer by layer for samples of shape `input` (without the batch dimension). Where a layer does not fit,
// adds a diagnostic at the layer's place and returns the layers before it.
[[nodiscard]] std::vector<LayerSummary> summarise(const Network& network, const Shape& input, Diagnostics& diagnostics);

// `base` up to and including layer `until` ("" = all of it), then `head`. Names of `head` that already stand in the base
// are renumbered where they were given automatically, and reported where the user chose them.
[[nodiscard]] Network extend(const Network& base, std::string_view until, const Network& head, Diagnostics& diagnostics);

}  // namespace satdl
