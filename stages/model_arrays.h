// A model as it flows through a port: the network, the shape of one of its samples, and its weights by name.
//
//   "architecture"   uint8, JSON text: {"input": [1, 28, 28], "layers": [...]}, the layers in the network's normal form
//   "conv_1.weight"  float32 [filters, channels, kernel, kernel]      "conv_1.bias"  [filters]
//   "dense_1.weight" float32 [units, features]                        "dense_1.bias" [units]
//   "batch_norm_1.weight", ".bias", ".running_mean", ".running_var"   float32 [channels]
//
// Names and layouts are PyTorch's, so that load_state_dict takes them.
#pragma once

#include <map>
#include <string>

#include "pipeline/core/array.h"
#include "pipeline/network/network.h"

namespace satdl::stages {

struct Model {
    Network network;
    Shape input;  // of one sample: without the batch dimension
    std::map<std::string, Array> weights;
};

[[nodiscard]] NamedArrays to_group(const Model& model);
// Throws Error{StageFailed} where the group is not a model.
[[nodiscard]] Model model_from(const NamedArrays& group);

}  // namespace satdl::stages
