// What happens to gradients between the backward pass and the optimiser: summed over several batches, and clipped.
#pragma once

#include <cstdint>
#include <optional>

#include "stages/torch_network.h"

namespace satdl::stages {

// Both as in Keras (global_clipnorm, clipvalue) and PyTorch (clip_grad_norm_ with error_if_nonfinite, clip_grad_value_).
struct Clipping {
    std::optional<double> norm{};   // g *= norm / max(norm, |all gradients together|_2)
    std::optional<double> value{};  // each element into [-value, value]
};

// nullopt where they are to be clipped and one is NaN or infinite: it has no direction that a shorter step could take.
[[nodiscard]] std::optional<Weights> clipped(const Clipping& clipping, Weights gradients);

// The sum of the gradients of batches, each times its samples: that over all their samples is the gradient of the mean
// loss, as if the batches had been one (batch norm and dropout apart, which see each batch alone).
struct GradientSum {
    Weights sums;  // empty: no batch yet
    std::int64_t batches = 0;
    std::int64_t samples = 0;
};

void add_to(GradientSum& sum, const Weights& gradients, std::int64_t samples);
// The mean over the samples; empties the sum.
[[nodiscard]] Weights take_mean(GradientSum& sum);

}  // namespace satdl::stages
