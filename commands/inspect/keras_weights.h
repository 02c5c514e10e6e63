// The weights of a model as Keras has them: its names, and its layouts, whose last axis is the channels'.
#pragma once

#include "pipeline/core/array.h"
#include "pipeline/network/architecture.h"

namespace satdl {

// "conv_1/kernel" [height, width, channels, filters], "dense_1/kernel" [inputs, outputs], "conv_1/bias"; of batch and layer
// norm "gamma", "beta", "moving_mean", "moving_variance". What a layer reads after `flatten`, or gives before `unflatten`, is
// in the order in which Keras' Flatten and Reshape take pixels: by row, column, channel.
//
// `weights`: float32, as the layers need them. Throws Error{Usage} where one is missing, or where the samples themselves would be in another
// order (an `unflatten` before the first dense layer).
[[nodiscard]] NamedArrays keras_weights(const Architecture& architecture, const NamedArrays& weights);

}  // namespace satdl
