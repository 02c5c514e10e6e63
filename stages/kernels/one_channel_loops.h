// The loops of convolutions with one channel on one side: a first layer of grey images, and a last one that makes them. 3 x 3
// weights, stride 1, zeros around, computed directly; one_channel.h puts them together.
//
// `one` is the side with one channel [row][column], `many` that with several [row][column][channel], a multiple of 16; weights
// [tap][channel], where tap (row * 3 + column) joins many's pixel p to one's pixel p + tap - (1, 1).
#pragma once

#include <cstdint>

#include "stages/kernels/cpu_level.h"

namespace satdl::stages::kernels {

struct ImageSize {
    std::int64_t height = 0, width = 0, channels = 0;

    [[nodiscard]] std::int64_t pixels() const { return height * width; }
    [[nodiscard]] std::int64_t padded_pixels() const { return (height + 2) * (width + 2); }
};

// Of one image each.
struct OneChannelLoops {
    // many[p] = the sum over taps of one[p + tap] * weights[tap], plus a bias if there is one, and where `relu` no less than 0.
    // `padded`: memory of padded_pixels().
    void (*to_many)(const ImageSize& size, const float* one, const float* weights, const float* bias, bool relu, float* many,
                    float* padded);
    // one[p] = bias + the sum over taps and channels of many[p + tap] * weights[tap].
    void (*to_one)(const ImageSize& size, const float* many, const float* weights, float bias, float* one);
    // sums[tap] += the sum over pixels of one[p + tap] * many[p].
    void (*add_weight_gradient)(const ImageSize& size, const float* one, const float* many, float* sums, float* padded);
};

// None for the baseline.
[[nodiscard]] const OneChannelLoops* one_channel_loops(CpuLevel level);

namespace avx2 {
extern const OneChannelLoops kOneChannelLoops;
}
namespace avx512 {
extern const OneChannelLoops kOneChannelLoops;
}

}  // namespace satdl::stages::kernels
