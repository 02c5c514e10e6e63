// The kinds of layers that a network can have, and their options: one table, used to read YAML, for its errors, for `satdl stages` and
// for the normal form. A new kind of layer is a struct here, a row in layer_kinds.cpp, its shape in network_summary.cpp and its module
// in stages/.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "pipeline/core/config_value.h"

namespace satdl {

// Softmax goes over features of [N, features] and over channels of [N, C, H, W].
enum class Activation { None, Relu, LeakyRelu, Gelu, Sigmoid, Tanh, Softmax };
enum class Padding { Same, Valid };
enum class PoolKind { Max, Average };
enum class FlipMode { Horizontal, Vertical, Both };

// Keras has two: of the layer `leaky_relu` (its LeakyReLU), and of `activation: leaky_relu` (its function of that name).
inline constexpr double kLeakySlope = 0.3;
inline constexpr double kLeakySlopeOfActivation = 0.2;

// 2-d convolution over [N, C, H, W]; padding `same` keeps ceil(size / stride), the odd zero goes to the end (as in Keras).
struct Conv {
    std::int64_t filters = 0;
    std::int64_t kernel = 3;
    std::int64_t stride = 1;
    Padding padding = Padding::Same;
    bool bias = true;
    Activation activation = Activation::None;
    bool operator==(const Conv&) const = default;
};
struct Dense {  // over [N, features]
    std::int64_t units = 0;
    bool bias = true;
    Activation activation = Activation::None;
    bool operator==(const Dense&) const = default;
};
// Over channels of [N, C, H, W] or features of [N, C]. Momentum in the sense of Keras:
// moving = momentum * moving + (1 - momentum) * batch.
struct BatchNorm {
    double momentum = 0.99;
    double epsilon = 1e-3;
    bool operator==(const BatchNorm&) const = default;
};
struct Pool {  // over [N, C, H, W], no padding
    PoolKind kind = PoolKind::Max;
    std::int64_t size = 2;
    std::int64_t stride = 2;  // default: size
    bool operator==(const Pool&) const = default;
};
struct Upsample {  // nearest neighbour
    std::int64_t factor = 2;
    bool operator==(const Upsample&) const = default;
};
struct Flatten {
    bool operator==(const Flatten&) const = default;
};
struct Unflatten {  // [N, features] to images
    std::int64_t channels = 1;
    std::int64_t height = 1;
    std::int64_t width = 1;
    bool operator==(const Unflatten&) const = default;
};
struct Dropout {
    double rate = 0.5;  // the fraction that is dropped
    bool operator==(const Dropout&) const = default;
};
struct Activate {
    Activation activation = Activation::Relu;
    double negative_slope = kLeakySlope;  // of leaky_relu
    bool operator==(const Activate&) const = default;
};

struct GlobalAveragePool {  // over [N, C, H, W]
    bool operator==(const GlobalAveragePool&) const = default;
};
// Over the features of [N, features], or the channels of each pixel of [N, C, H, W]: Keras' axis -1.
struct LayerNorm {
    double epsilon = 1e-3;
    bool operator==(const LayerNorm&) const = default;
};
// Augmentation: random while training, else the identity.
struct RandomFlip {
    FlipMode mode = FlipMode::Both;
    bool operator==(const RandomFlip&) const = default;
};
struct RandomCrop {  // PyTorch's RandomCrop(size of the image, padding)
    std::int64_t padding = 4;
    bool operator==(const RandomCrop&) const = default;
};

using LayerSpec = std::variant<Conv, Dense, BatchNorm, Pool, Upsample, Flatten, Unflatten, Dropout, Activate, GlobalAveragePool, LayerNorm,
                               RandomFlip, RandomCrop>;

struct LayerOption {
    enum class Type { Integer, Number, Boolean, Choice };

    std::string name;
    Type type = Type::Integer;
    std::string help;                   // one line
    std::optional<double> min, max;  // inclusive range of numbers
    std::vector<std::string> choices;
    bool required = false;
    std::string same_as;                // the option whose value it takes if absent; or ""

    ConfigValue (*get)(const LayerSpec&) = nullptr;
    // False if the value is not of this type or not one of the choices; the caller checks the range.
    bool (*set)(LayerSpec&, const ConfigValue&) = nullptr;
};

struct LayerDescription {
    std::string kind;    // "conv"
    std::string help;    // one line
    std::string shapes;  // "[N, C, H, W] -> [N, filters, H', W']"
    LayerSpec defaults;
    std::string main;    // the option that may be given as the kind's value; or ""
    std::vector<LayerOption> options;

    [[nodiscard]] const LayerOption* option(std::string_view name) const;
};

// Every kind of layer, in the order of the reference.
[[nodiscard]] const std::vector<LayerDescription>& layer_descriptions();
[[nodiscard]] const LayerDescription* find_layer_description(std::string_view kind);
[[nodiscard]] const LayerDescription& description_of(const LayerSpec& spec);

[[nodiscard]] std::string_view name_of(Activation activation);  // "leaky_relu"
[[nodiscard]] std::string_view name_of(Padding padding);        // "same"

// What an option accepts, for messages: "an integer from 1 to 65536", "one of same, valid".
[[nodiscard]] std::string wanted(const LayerOption& option);

}  // namespace satdl
