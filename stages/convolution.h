// Convolutions, and the ReLU and batch norm after them, in float32 on the CPU: by our own kernels (kernels/) where they pay, else
// by LibTorch, but always such that the bits do not depend on the number of threads. Differentiable. docs/speed.md says how and
// how fast.
//
// Tensors are [N, C, H, W] with the channels last in memory, or [N, features] for batch norm; others are copied so.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "pipeline/network/network.h"
#include "stages/torch.h"

namespace satdl::stages {

// Auto: whichever is fastest. Direct: LibTorch's, whose rounding errors are smaller than those of Winograd's convolution.
enum class ConvolutionMethod { Auto, Direct };

struct ConvolutionOptions {
    std::int64_t stride = 1;
    std::array<std::int64_t, 2> padding{};  // rows and columns of zeros on each side
    bool relu = false;                      // what is below 0 becomes 0
    ConvolutionMethod method = ConvolutionMethod::Auto;
};

// Whether the functions below compute with it: float32, on the CPU. Batch norm also takes bfloat16, of which it gives bfloat16 and computes in
// float32.
[[nodiscard]] bool is_float_on_cpu(const at::Tensor& x);

// weight [K, C, h, w]; `bias` [K] may be undefined.
[[nodiscard]] at::Tensor convolution(const ConvolutionOptions& options, const at::Tensor& x, const at::Tensor& weight,
                                     const at::Tensor& bias);

// Batch norm with the statistics of the batch; the moving ones follow them, the variance the biased one, as in Keras 3.
// `norm_tensors`: scale, offset, moving mean, moving variance.
[[nodiscard]] at::Tensor batch_norm_of_batch(const BatchNorm& norm, const at::Tensor& x, std::span<at::Tensor> norm_tensors);
// The same after a convolution.
[[nodiscard]] at::Tensor convolution_batch_norm(const ConvolutionOptions& options, const at::Tensor& x, const at::Tensor& weight,
                                                const at::Tensor& bias, const BatchNorm& norm,
                                                std::span<at::Tensor> norm_tensors);

// Batch norm with the moving statistics. Not differentiable.
[[nodiscard]] at::Tensor batch_norm_of_moving(const BatchNorm& norm, const at::Tensor& x,
                                              std::span<const at::Tensor> norm_tensors);

}  // namespace satdl::stages
