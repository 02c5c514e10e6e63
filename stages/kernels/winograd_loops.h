// The loops of Winograd's convolution F(4x4, 3x3), without threads and memory of their own; winograd.h puts them together, and
// docs/speed.md explains them.
//
// Notation: an image is cut into tiles of 4 x 4 outputs, each of which reads 6 x 6 inputs. A tile transformed has 36 numbers a
// channel, so tiles are 36 planes; plane e of the product is plane e of the inputs times plane e of the weights, 36 products of
// matrices.
//
// Layouts (floats; L is `lanes`, the width of the vectors; all channels are multiples of L):
//   images        [image][row][column][channel]
//   weights       [output][row][column][input]
//   tiles         [plane][channel / L][tile][L]: those in a range [first, last) of the tiles of all images, filled up with zeros to `tiles`, a
//                 multiple of kTileRows
//   multipliers   [plane][to / L][from][L], from and to: inputs and outputs, the other way round for the gradient of the data
//   kernel sums   [plane][output][input]: the transformed gradient of the weights
#pragma once

#include <cstdint>

#include "stages/kernels/cpu_level.h"

namespace satdl::stages::kernels {

constexpr std::int64_t kPlanes = 36;
constexpr std::int64_t kTileRows = 12;  // tiles are multiplied so many at a time

// A convolution with 3 x 3 weights, stride 1 and zeros around, over `images` images.
struct ConvShape {
    std::int64_t images = 0, height = 0, width = 0, inputs = 0, outputs = 0;

    [[nodiscard]] std::int64_t tile_columns() const { return (width + 3) / 4; }
    [[nodiscard]] std::int64_t tiles_an_image() const { return (height + 3) / 4 * tile_columns(); }
    [[nodiscard]] std::int64_t tiles() const { return images * tiles_an_image(); }
};

// Of the tiles of all images.
struct TileRange {
    std::int64_t first = 0, last = 0;

    [[nodiscard]] std::int64_t used() const { return last - first; }
    [[nodiscard]] std::int64_t filled_up() const { return (used() + kTileRows - 1) / kTileRows * kTileRows; }
};

// Between two planes. Five lines more than they need: with a power of two, all 36 would compete for the same lines of the cache.
[[nodiscard]] constexpr std::int64_t plane_stride(std::int64_t rows, std::int64_t columns) { return rows * columns + 5 * 16; }

struct WinogradLoops {
    std::int64_t lanes;

    // Multipliers from weights, for `to` in [first, last) * lanes. `gradient`: those of the data's gradient, turned by 180
    // degrees.
    void (*transform_weights)(const ConvShape& shape, const float* weights, bool gradient, std::int64_t first, std::int64_t last,
                              float* multipliers);
    // B^T d B of tiles of images with `channels` channels.
    void (*transform_images)(const ConvShape& shape, std::int64_t channels, const float* images, const TileRange& range,
                             float* tiles);
    // A d A^T of the gradients of the outputs; only of channels [channel, channel + count).
    void (*transform_gradients)(const ConvShape& shape, std::int64_t channel, std::int64_t count, const float* gradients,
                                const TileRange& range, float* tiles);
    // Plane by plane: products = tiles * multipliers. `tiles`: filled up.
    void (*multiply)(std::int64_t tiles, std::int64_t from, std::int64_t to, const float* transformed, const float* multipliers,
                     float* products);
    // A^T p A, plus a bias if there is one, and where `relu` no less than 0.
    void (*transform_products)(const ConvShape& shape, std::int64_t channels, const float* products, const float* bias, bool relu,
                               const TileRange& range, float* images);
    // Plane by plane: sums = gradients^T * inputs, or sums += with `add`; of `count` outputs. `tiles`: filled up.
    void (*multiply_transposed)(std::int64_t tiles, std::int64_t count, std::int64_t inputs, const float* gradients,
                                const float* images, bool add, std::int64_t sums_stride, float* sums);
    // G^T s G of s, the sum of `parts` kernel sums in their order: the gradient of the weights of `output`.
    void (*transform_kernel_sums)(const ConvShape& shape, const float* const* sums, std::int64_t parts, std::int64_t output,
                                  float* weights);
};

// None for the baseline.
[[nodiscard]] const WinogradLoops* winograd_loops(CpuLevel level);

namespace avx2 {
extern const WinogradLoops kWinogradLoops;
}
namespace avx512 {
extern const WinogradLoops kWinogradLoops;
}

}  // namespace satdl::stages::kernels
