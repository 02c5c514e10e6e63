// The output shape of each layer, its parameters and its cost.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/core/array.h"
#include "pipeline/network/network.h"

namespace satdl {

inline constexpr std::int64_t kUnknown = -1;  // an extent that is known only when the stage runs, and what depends on it

struct LayerSummary {
    std::string name;
    std::string_view kind;
    Shape output;  // without the batch dimension
    // kUnknown if they depend on such an extent of the input.
    std::int64_t trainable = 0;      // parameters
    std::int64_t non_trainable = 0;  // batch norm's moving mean and variance
    std::int64_t multiply_adds = 0;  // of one sample's forward pass; element-wise functions and max pooling count as 0
};

// What the samples of a batch are: "[N, 1, ?, 28]".
[[nodiscard]] std::string batch_text(const Shape& sample);

// How many zeros a convolution puts before and after an extent of what it reads: with `same` the odd one after it, as Keras does.
[[nodiscard]] std::array<std::int64_t, 2> zeros_around(std::int64_t extent, const Conv& conv);

// Shapes and costs layer by layer for samples of shape `input` (without the batch dimension; extents may be
// kUnknown). If a layer does not fit, adds a diagnostic at the layer's place and returns the layers before it.
[[nodiscard]] std::vector<LayerSummary> summarise(const Network& network, const Shape& input, Diagnostics& diagnostics);

}  // namespace satdl
