// Convolutions of 3 x 3 weights, stride 1 and `same` padding, with a quarter to a third of the multiplications: Winograd's F(4x4,
// 3x3) (Winograd 1980; Lavin and Gray 2016: "Fast Algorithms for Convolutional Neural Networks"). docs/speed.md explains and
// measures it.
//
// Forward and the data's gradient are exact to about 2e-5 of the largest entry, the weights' gradient to 5e-6. The bits depend
// neither on the number of workers nor on the level of vector instructions; of forward and the data's gradient a sample's depend
// on that sample alone.
#pragma once

#include <cstdint>
#include <vector>

#include "stages/kernels/winograd_loops.h"
#include "stages/kernels/workers.h"

namespace satdl::stages::kernels {

// Channels of both sides are multiples of 16, and so many that it pays.
[[nodiscard]] bool winograd_takes(std::int64_t inputs, std::int64_t outputs);

// Pointers as in winograd_loops.h; images and their gradients [image][row][column][channel], weights
// [output][row][column][input].
class Winograd {
public:
    Winograd(const WinogradLoops& loops, const ConvShape& shape, const Workers& workers);

    // `bias`: may be null. `relu`: what is below 0 becomes 0.
    void forward(const float* x, const float* weights, const float* bias, bool relu, float* y, const Scratch& scratch) const;
    void data_gradient(const float* dy, const float* weights, float* dx, const Scratch& scratch) const;
    void weight_gradient(const float* x, const float* dy, float* dweights, const Scratch& scratch) const;

private:
    // Transformed tiles, and what is made of them or multiplied with them.
    struct WorkerMemory {
        float *tiles, *others;
    };
    [[nodiscard]] std::vector<WorkerMemory> memory_of_workers(std::int64_t tiles, std::int64_t channels,
                                                              std::int64_t other_channels, const Scratch& scratch) const;
    void product(bool gradient, const float* images, const float* weights, const float* bias, bool relu, float* to,
                 const Scratch& scratch) const;
    void add_up(std::int64_t part, std::int64_t output, const float* x, const float* dy, float* sums,
                const WorkerMemory& memory) const;
    [[nodiscard]] std::int64_t outputs_at_once() const;

    const WinogradLoops& loops_;
    const ConvShape shape_;
    const Workers& workers_;
    std::int64_t tiles_a_task_;   // of forward and data_gradient
    std::int64_t tiles_at_once_;  // of weight_gradient
    std::int64_t parts_;          // in which the sums over all tiles are cut: a function of the shape
};

}  // namespace satdl::stages::kernels
