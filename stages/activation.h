// Activations, differentiable: by our own loops (kernels/elementwise.h), to which a number's neighbours do not matter, or by
// LibTorch in parts of the samples (sample_parts.h): gelu, softmax, bfloat16, and a CPU without AVX2.
#pragma once

#include "pipeline/network/layer_kinds.h"
#include "stages/torch.h"

namespace satdl::stages {

struct ActivationSpec {
    Activation kind = Activation::None;
    double negative_slope = kLeakySlopeOfActivation;
};
// In place where `fresh`, x is not shared, and nothing is differentiated. Softmax goes over dimension 1.
[[nodiscard]] at::Tensor activate(const ActivationSpec& activation, at::Tensor x, bool fresh);

}  // namespace satdl::stages
