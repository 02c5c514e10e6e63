// Max pooling and upsampling of images [N, C, H, W], differentiable, by LibTorch in parts of the images (sample_parts.h),
// which write into the whole: these two only move numbers, and a copy more would be half of their time.
#pragma once

#include <cstdint>

#include "stages/torch.h"

namespace satdl::stages {

// No padding: whole windows only.
[[nodiscard]] at::Tensor max_pool(const at::Tensor& x, std::int64_t size, std::int64_t stride);
// Each pixel becomes factor x factor of them.
[[nodiscard]] at::Tensor upsample_nearest(const at::Tensor& x, std::int64_t factor);

}  // namespace satdl::stages
