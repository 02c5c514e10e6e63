// The tensors that each kind of layer has: their names and shapes, which are PyTorch's, and what they are for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "pipeline/core/array.h"
#include "pipeline/network/network.h"

namespace satdl {

// What a tensor of a layer is for: how it begins, and whether it is trained.
enum class TensorRole { Kernel, Bias, Scale, Offset, MovingMean, MovingVariance };

struct TensorSpec {
    std::string name;  // "conv_1.weight"
    Shape shape;
    TensorRole role = TensorRole::Kernel;
    std::int64_t fan_in = 0, fan_out = 0;  // of the layer; 0 for batch and layer norm
    std::size_t layer = 0;                 // position in the network

    [[nodiscard]] bool trainable() const { return role != TensorRole::MovingMean && role != TensorRole::MovingVariance; }
};

// The tensors of a layer, in the order in which its arithmetic takes them. `input`: a sample's shape, which the layer can
// read.
[[nodiscard]] std::vector<TensorSpec> tensors_of(const Layer& layer, const Shape& input);

}  // namespace satdl
