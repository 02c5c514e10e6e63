// The memory that a network needs to be computed, from its shapes: so that admission knows it before anything runs. An estimate that
// is meant to be too large by a little: the least that an implementation can do with is much less than what any takes.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "pipeline/network/network_summary.h"

namespace satdl {

enum class NetworkUse { Training, Inference };

// Where the shapes are not known: as a convolutional network of millions of weights on a hundred small images.
inline constexpr std::uint64_t kUnknownNetworkBytes = std::uint64_t{1} << 30;

// Bytes beyond inputs and results, all numbers float32. `input`: a sample's shape; `batch`: samples at a time.
// Training: the weights ten times (themselves, gradients and their sum, two moments, the best epoch's, and a checkpoint's copies of
// these), the batch, and of each layer its output, which the backward pass reads, and that output's gradient.
// Inference: the weights, the batch, and the three largest outputs that are there at a time.
// nullopt where an extent is unknown.
[[nodiscard]] std::optional<std::uint64_t> network_bytes(std::span<const LayerSummary> layers, const Shape& input, std::int64_t batch,
                                                         NetworkUse use);

}  // namespace satdl
