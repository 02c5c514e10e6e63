// Dense layers, y = x W^T + b, differentiable, such that no byte depends on the number of threads: by our own products
// (kernels/product.h), or by LibTorch's in fixed blocks of the result, where those cannot compute it (bfloat16, a CPU
// without AVX2).
#pragma once

#include "stages/torch.h"

namespace satdl::stages {

// x [N, inputs], weight [outputs, inputs], bias [outputs] or undefined; all of one type. Gives [N, outputs].
[[nodiscard]] at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

}  // namespace satdl::stages
