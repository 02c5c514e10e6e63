// Loops over images or features as rows of channels: [row][channel], a row a pixel or a sample. batch_norm.h puts them together.
//
// Each channel is computed by itself, in the order of the rows: so the width of the vectors cannot be seen in the results.
#pragma once

#include <cstdint>

#include "stages/kernels/cpu_level.h"

namespace satdl::stages::kernels {

struct RowRange {
    std::int64_t first = 0, last = 0, channels = 0;
};

// What of batch norm's gradient is the same for all rows, by channel.
struct GradientFactors {
    const float* mean;     // of the batch
    const float* mean_dy;  // of the gradient
    const float* slope;    // what the gradient loses for each unit of x - mean
    const float* scale;    // of the result
};

struct ChannelLoops {
    // The sums of x - shift, and of its squares, by channel: added in float32 over a few rows, and those in float64. `few`:
    // memory for two rows of channels.
    void (*add_moments)(const RowRange& range, const float* x, const float* shift, float* few, double* sums, double* squares);
    // y = (x - mean) * scale + offset; y may be x.
    void (*normalise)(const RowRange& range, const float* x, const float* mean, const float* scale, const float* offset,
                      float* y);
    // The sums of dy, and of dy * (x - mean). `few` as above.
    void (*add_gradient_moments)(const RowRange& range, const float* x, const float* dy, const float* mean, float* few,
                                 double* sums, double* products);
    // dx = (dy - mean_dy - (x - mean) * slope) * scale, and 0 where `relu` and x is not above 0; and the sums of dx. `few`: one
    // row.
    void (*normalise_gradient)(const RowRange& range, const float* x, const float* dy, const GradientFactors& factors, bool relu,
                               float* dx, float* few, double* sums);
    // dx = dy, but 0 where x is not above 0; and the sums of dx. `few`: one row.
    void (*relu_gradient)(const RowRange& range, const float* x, const float* dy, float* dx, float* few, double* sums);
    // The sums of x. `few`: one row.
    void (*add)(const RowRange& range, const float* x, float* few, double* sums);
};

[[nodiscard]] const ChannelLoops& channel_loops(CpuLevel level);

namespace baseline {
extern const ChannelLoops kChannelLoops;
}
namespace avx2 {
extern const ChannelLoops kChannelLoops;
}
namespace avx512 {
extern const ChannelLoops kChannelLoops;
}

}  // namespace satdl::stages::kernels
