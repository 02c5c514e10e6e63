// Convolutions of 3 x 3 weights, stride 1 and `same` padding with one channel on one side and a multiple of 16 on the other.
// oneDNN fills the one up to 8 or more and takes several times as long.
//
// The bits depend neither on the number of workers nor on the level; of forward and the data's gradient a sample's depend on that
// sample alone.
#pragma once

#include <cstdint>

#include "stages/kernels/one_channel_loops.h"
#include "stages/kernels/winograd_loops.h"
#include "stages/kernels/workers.h"

namespace satdl::stages::kernels {

[[nodiscard]] bool one_channel_takes(std::int64_t inputs, std::int64_t outputs);

// Layouts as in winograd.h: images [image][row][column][channel], weights [output][row][column][input].
class OneChannel {
public:
    OneChannel(const OneChannelLoops& loops, const ConvShape& shape, const Workers& workers);

    // `bias`: may be null. `relu`: what is below 0 becomes 0.
    void forward(const float* x, const float* weights, const float* bias, bool relu, float* y) const;
    void data_gradient(const float* dy, const float* weights, float* dx) const;
    void weight_gradient(const float* x, const float* dy, float* dweights) const;

private:
    enum class Taps { AsTheyAre, Turned };  // turned by 180 degrees
    void to_many(const float* one, const float* weights, Taps taps, const float* bias, bool relu, float* many) const;
    void to_one(const float* many, const float* weights, Taps taps, float bias, bool relu, float* one) const;

    const OneChannelLoops& loops_;
    const ConvShape shape_;
    const Workers& workers_;
    const ImageSize size_;  // of the side with several channels
};

}  // namespace satdl::stages::kernels
