// A trained network as an ONNX model: opset 17, for onnxruntime, Netron and whatever else reads the format
// (github.com/onnx/onnx, onnx.proto and docs/Operators.md).
#pragma once

#include <string>

#include "pipeline/core/array.h"
#include "pipeline/network/architecture.h"

namespace satdl {

// The bytes of the file. One input, `input`, and one output, `output`: float32, the samples' shapes as in satdl ([N, C, H,
// W] or [N, features]) and any number N of them. Weights have their names ("conv_1.weight"); the value that a layer gives
// has the layer's name. What does nothing outside of training (dropout, random_flip, random_crop) is left out. The
// architecture is in the metadata.
//
// `weights`: float32, as the layers need them. Throws Error{Usage} where one is missing, or where the file would be larger
// than protocol buffers can be (2 GiB).
[[nodiscard]] std::string onnx_model(const Architecture& architecture, const NamedArrays& weights);

}  // namespace satdl
