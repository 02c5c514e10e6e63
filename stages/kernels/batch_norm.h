// Batch norm over rows of channels (pixels of images with the channels last, or samples), and the ReLU before it: one pass for
// the statistics and one for the result, each way (Ioffe and Szegedy 2015).
//
// Sums run over 16 fixed parts of the rows, whose sums are added in order: the bits depend neither on the number of workers nor
// on the level.
#pragma once

#include <cstdint>
#include <vector>

#include "stages/kernels/channel_loops.h"
#include "stages/kernels/workers.h"

namespace satdl::stages::kernels {

struct Rows {
    std::int64_t rows = 0, channels = 0;  // at least one of each
};

// Of each channel over the rows.
struct Moments {
    std::vector<double> mean, variance;  // the biased variance: of the rows themselves
};
[[nodiscard]] Moments moments_of(const Rows& shape, const float* x, const Workers& workers);

// y = (x - mean) * factor + offset, by channel; y may be x. The factor is scale / sqrt(variance + epsilon).
void normalise(const Rows& shape, const float* x, const float* mean, const float* factor, const float* offset, float* y,
               const Workers& workers);

// The gradient through batch norm and, with `relu`, the ReLU that gave x. Writes dx [rows][channels] and, by channel, the
// gradients of scale and offset, and the sum of dx: the gradient of a bias before it. inverse_deviation: 1 / sqrt(variance +
// epsilon).
void batch_norm_gradient(const Rows& shape, const float* x, const float* dy, const float* mean, const double* inverse_deviation,
                         const float* scale, bool relu, float* dx, float* dscale, float* doffset, float* dbias,
                         const Workers& workers);

// The gradient through the ReLU that gave y, and its sum by channel.
void relu_gradient(const Rows& shape, const float* y, const float* dy, float* dx, float* dbias, const Workers& workers);

// By channel.
void sum_of_rows(const Rows& shape, const float* x, float* sum, const Workers& workers);

}  // namespace satdl::stages::kernels
