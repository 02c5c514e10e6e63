// Work on a batch that is the same for each of its samples, by LibTorch, in parts that threads share.
//
// How a batch is cut follows from its shape alone, LibTorch computes each part on one thread (KernelThreadScope), and what
// is summed over samples, the gradients of weights, is summed over the parts in order, in float32 at least. So no byte
// depends on the number of threads.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "stages/torch.h"

namespace satdl::stages {

// Of some samples of x: what the layer makes of them. `first`: the position of the first of them in the batch.
using OfSamples =
    std::function<at::Tensor(const at::Tensor& samples, std::span<const at::Tensor> weights, std::int64_t first)>;

// `of` the whole of x, differentiable in x and the weights. What is not on the CPU is computed at once. `work`: how many
// numbers are read and written, a multiply-add counts as 1/32; little work is computed at once, too.
[[nodiscard]] at::Tensor in_parts(const at::Tensor& x, const std::vector<at::Tensor>& weights, std::int64_t work,
                                  const OfSamples& of);

// How many parts of so many samples: at most 16.
[[nodiscard]] std::int64_t parts_of(std::int64_t samples, std::int64_t work);
inline constexpr std::int64_t kMultiplyAddsOfWork = 32;

// The parts one after another, as one tensor that is laid out as they are.
[[nodiscard]] at::Tensor joined(const std::vector<at::Tensor>& parts);

// As another type, differentiable; x itself if it is of that type.
[[nodiscard]] at::Tensor cast(const at::Tensor& x, at::ScalarType type);

}  // namespace satdl::stages
