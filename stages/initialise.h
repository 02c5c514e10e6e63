// Initial weights: a function of (seed, layer, tensor, position), so adding a layer changes none before it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "stages/torch_network.h"

namespace satdl::stages {

enum class Initialiser {
    Keras,  // kernels uniform within sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010), biases zero
    Torch,  // kernels and biases uniform within 1 / sqrt(fan_in), as PyTorch's kaiming_uniform with a = sqrt(5)
};

// The initial weights of the tensors that belong to layers from `first_layer` on; the others stay as they are.
void initialise(const Net& net, Initialiser initialiser, std::int64_t seed, std::size_t first_layer, Weights& weights);

}  // namespace satdl::stages
