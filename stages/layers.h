// The arithmetic of layers, one function a kind. Samples are [N, features] or [N, C, H, W]; everything is differentiable unless its pass
// says otherwise.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "pipeline/network/layer_tensors.h"
#include "pipeline/stage.h"
#include "stages/activation.h"
#include "stages/convolution.h"
#include "stages/random.h"
#include "stages/torch.h"

namespace satdl::stages {

struct LayerPass {
    // Dropout drops, augmentation augments; batch norm uses the batch's statistics and updates its moving ones.
    bool training = false;
    Stream dropout, augmentation;  // of this layer and step
    // Bf16: convolutions and dense layers round what they read to bfloat16, and give bfloat16.
    Precision precision = Precision::Fp32;
    ConvolutionMethod convolution = ConvolutionMethod::Auto;
};

// The layer without its activation.
[[nodiscard]] at::Tensor apply(const LayerSpec& spec, const at::Tensor& x, std::span<at::Tensor> tensors,
                               const LayerPass& pass);

// Whether our own kernels compute convolutions and batch norm of it: in float32, on the CPU.
[[nodiscard]] bool has_kernels(const at::Tensor& x, const LayerPass& pass);
// A convolution, its activation if that is ReLU, and, with `norm`, the batch norm after it in training, as one. Precondition:
// has_kernels().
[[nodiscard]] at::Tensor apply_fused(const Conv& conv, const at::Tensor& x, std::span<at::Tensor> tensors, const BatchNorm* norm,
                                     std::span<at::Tensor> norm_tensors, const LayerPass& pass);

[[nodiscard]] ActivationSpec activation_of(const LayerSpec& spec);

}  // namespace satdl::stages
