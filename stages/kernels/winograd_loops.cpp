// Compiled once for each level. The transforms are those of Lavin and Gray (2016), section 4.2, applied to rows and then to
// columns.
#include "stages/kernels/winograd_loops.h"

#include "stages/kernels/vectors.h"

namespace satdl::stages::kernels {
namespace {

// ---- one dimension of each transform, for a vector of channels ----

// B^T d
inline void to_points(const Vector d[6], Vector o[6]) {
    const Vector even = fma(all(-4), d[2], d[4]), odd = fma(all(-4), d[1], d[3]);
    const Vector half_even = d[4] - d[2], half_odd = 2 * (d[3] - d[1]);
    o[0] = fma(all(4), d[0], fma(all(-5), d[2], d[4]));
    o[1] = even + odd;
    o[2] = even - odd;
    o[3] = half_even + half_odd;
    o[4] = half_even - half_odd;
    o[5] = fma(all(4), d[1], fma(all(-5), d[3], d[5]));
}

// A^T m
inline void from_points(const Vector m[6], Vector o[4]) {
    const Vector a = m[1] + m[2], b = m[1] - m[2], c = m[3] + m[4], d = m[3] - m[4];
    o[0] = m[0] + a + c;
    o[1] = fma(all(2), d, b);
    o[2] = fma(all(4), c, a);
    o[3] = fma(all(8), d, b) + m[5];
}

// A d
inline void gradient_to_points(const Vector d[4], Vector o[6]) {
    const Vector even = d[0] + d[2], odd = d[1] + d[3];
    const Vector far_even = fma(all(4), d[2], d[0]), far_odd = fma(all(8), d[3], 2 * d[1]);
    o[0] = d[0];
    o[1] = even + odd;
    o[2] = even - odd;
    o[3] = far_even + far_odd;
    o[4] = far_even - far_odd;
    o[5] = d[3];
}

// G g
inline void weights_to_points(const Vector g[3], Vector o[6]) {
    const Vector sum = (g[0] + g[2]) * (-1.0f / 6), middle = g[1] * (-1.0f / 6);
    const Vector far_sum = fma(all(1.0f / 24), g[0], g[2] * (1.0f / 6)), far_middle = g[1] * (1.0f / 12);
    o[0] = g[0] * 0.25f;
    o[1] = sum + middle;
    o[2] = sum - middle;
    o[3] = far_sum + far_middle;
    o[4] = far_sum - far_middle;
    o[5] = g[2];
}

// G^T u
inline void weights_from_points(const Vector u[6], Vector o[3]) {
    const Vector a = u[1] + u[2], b = u[1] - u[2], c = u[3] + u[4], d = u[3] - u[4];
    o[0] = fma(all(1.0f / 24), c, fma(all(-1.0f / 6), a, u[0] * 0.25f));
    o[1] = fma(all(1.0f / 12), d, b * (-1.0f / 6));
    o[2] = fma(all(1.0f / 6), c - a, u[5]);
}

// Rows, then columns, of a square of From x From to one of To x To.
template <int From, int To, typename OneWay>
inline void both_ways(const Vector (&in)[From][From], Vector (&out)[To][To], const OneWay& one) {
    Vector middle[From][To];  // [column][row]
#pragma GCC unroll 6
    for (int column = 0; column < From; ++column) {
        Vector line[From];
#pragma GCC unroll 6
        for (int row = 0; row < From; ++row) line[row] = in[row][column];
        one(line, middle[column]);
    }
#pragma GCC unroll 6
    for (int row = 0; row < To; ++row) {
        Vector line[From];
#pragma GCC unroll 6
        for (int column = 0; column < From; ++column) line[column] = middle[column][row];
        one(line, out[row]);
    }
}

inline void store_planes(const Vector (&values)[6][6], float* to, Index stride) {
#pragma GCC unroll 6
    for (int row = 0; row < 6; ++row)
#pragma GCC unroll 6
        for (int column = 0; column < 6; ++column) store(to + (row * 6 + column) * stride, values[row][column]);
}

// ---- tiles of images ----

alignas(64) constexpr float kZeros[kLanes] = {};

// Where a tile lies: its image, and the row and column of its first output.
struct Place {
    Index image, row, column;
};
inline Place place_of(const ConvShape& shape, Index tile) {
    const Index within = tile % shape.tiles_an_image();
    return {tile / shape.tiles_an_image(), within / shape.tile_columns() * 4, within % shape.tile_columns() * 4};
}

// Size x Size pixels from `row` and `column` on; zeros outside of the image.
template <int Size>
inline void load_pixels(const ConvShape& shape, Index channels, const float* images, const Place& at, Index row, Index column,
                        Vector (&to)[Size][Size]) {
    const float* const image = images + at.image * shape.height * shape.width * channels;
#pragma GCC unroll 6
    for (int i = 0; i < Size; ++i) {
        const bool row_is_in = row + i >= 0 && row + i < shape.height;
        const float* const line = image + (row + i) * shape.width * channels;
#pragma GCC unroll 6
        for (int j = 0; j < Size; ++j) {
            const bool is_in = row_is_in && column + j >= 0 && column + j < shape.width;
            to[i][j] = load(is_in ? line + (column + j) * channels : kZeros);
        }
    }
}

// What only fills up the last rows of the products.
void clear_rest(const TileRange& range, Index channels, float* to) {
    const Index tiles = range.filled_up();
    for (Index plane = 0; plane < kPlanes; ++plane)
        for (Index channel = 0; channel < channels; channel += kLanes)
            for (Index tile = range.used(); tile < tiles; ++tile)
                store(to + plane * plane_stride(tiles, channels) + channel * tiles + tile * kLanes, Vector{});
}

void transform_images(const ConvShape& shape, Index channels, const float* images, const TileRange& range, float* to) {
    const Index tiles = range.filled_up();
    for (Index channel = 0; channel < channels; channel += kLanes)
        for (Index tile = 0; tile < range.used(); ++tile) {
            const Place at = place_of(shape, range.first + tile);
            Vector pixels[6][6], points[6][6];
            load_pixels(shape, channels, images + channel, at, at.row - 1, at.column - 1, pixels);
            both_ways<6, 6>(pixels, points, to_points);
            store_planes(points, to + channel * tiles + tile * kLanes, plane_stride(tiles, channels));
        }
    clear_rest(range, channels, to);
}

void transform_gradients(const ConvShape& shape, Index channel, Index count, const float* gradients, const TileRange& range,
                         float* to) {
    const Index tiles = range.filled_up();
    for (Index of = 0; of < count; of += kLanes)
        for (Index tile = 0; tile < range.used(); ++tile) {
            const Place at = place_of(shape, range.first + tile);
            Vector pixels[4][4], points[6][6];
            load_pixels(shape, shape.outputs, gradients + channel + of, at, at.row, at.column, pixels);
            both_ways<4, 6>(pixels, points, gradient_to_points);
            store_planes(points, to + of * tiles + tile * kLanes, plane_stride(tiles, count));
        }
    clear_rest(range, count, to);
}

void store_pixels(const ConvShape& shape, Index channels, const Place& at, const Vector (&pixels)[4][4], Vector bias, bool relu,
                  float* images) {
    const Index rows = smaller(4, shape.height - at.row), columns = smaller(4, shape.width - at.column);
    for (Index row = 0; row < rows; ++row) {
        float* const line = images + ((at.image * shape.height + at.row + row) * shape.width + at.column) * channels;
        for (Index column = 0; column < columns; ++column) {
            const Vector value = pixels[row][column] + bias;
            store(line + column * channels, relu ? positive(value) : value);
        }
    }
}

void transform_products(const ConvShape& shape, Index channels, const float* products, const float* bias, bool relu,
                        const TileRange& range, float* images) {
    const Index tiles = range.filled_up(), stride = plane_stride(tiles, channels);
    for (Index channel = 0; channel < channels; channel += kLanes) {
        const Vector offset = bias != nullptr ? load(bias + channel) : Vector{};
        for (Index tile = 0; tile < range.used(); ++tile) {
            const float* const from = products + channel * tiles + tile * kLanes;
            Vector points[6][6], pixels[4][4];
            for (int plane = 0; plane < kPlanes; ++plane) points[plane / 6][plane % 6] = load(from + plane * stride);
            both_ways<6, 4>(points, pixels, from_points);
            store_pixels(shape, channels, place_of(shape, range.first + tile), pixels, offset, relu, images + channel);
        }
    }
}

// ---- weights ----

// A square of kLanes inputs and kLanes outputs, with the 9 weights of each pair.
struct WeightBlock {
    alignas(64) float of_output[9][kLanes][kLanes];  // [tap][output][input]
};

inline void load_block(const ConvShape& shape, const float* weights, Index input, Index output, WeightBlock& block) {
    for (int tap = 0; tap < 9; ++tap)
        for (Index lane = 0; lane < kLanes; ++lane)
            store(block.of_output[tap][lane], load(weights + ((output + lane) * 9 + tap) * shape.inputs + input));
}

// A vector of multipliers for each of the 36 planes from 9 vectors of weights.
inline void store_multipliers(const Vector (&kernel)[3][3], Index stride, float* to) {
    Vector points[6][6];
    both_ways<3, 6>(kernel, points, weights_to_points);
    store_planes(points, to, stride);
}

void transform_weights(const ConvShape& shape, const float* weights, bool gradient, Index first, Index last, float* multipliers) {
    const Index from_count = gradient ? shape.outputs : shape.inputs, stride = plane_stride(shape.inputs, shape.outputs);
    for (Index to = first * kLanes; to < last * kLanes; to += kLanes)
        for (Index from = 0; from < from_count; from += kLanes) {
            WeightBlock block;
            load_block(shape, weights, gradient ? to : from, gradient ? from : to, block);
            for (Index lane = 0; lane < kLanes; ++lane) {
                Vector kernel[3][3];
                for (int tap = 0; tap < 9; ++tap) {
                    alignas(64) float column[kLanes];
                    for (Index i = 0; i < kLanes; ++i) column[i] = block.of_output[tap][i][lane];
                    if (gradient)
                        kernel[(8 - tap) / 3][(8 - tap) % 3] = load(block.of_output[tap][lane]);
                    else
                        kernel[tap / 3][tap % 3] = load(column);
                }
                store_multipliers(kernel, stride, multipliers + to * from_count + (from + lane) * kLanes);
            }
        }
}

void transform_kernel_sums(const ConvShape& shape, const float* const* sums, Index parts, Index output, float* weights) {
    const Index stride = plane_stride(shape.outputs, shape.inputs);
    for (Index input = 0; input < shape.inputs; input += kLanes) {
        Vector points[6][6], kernel[3][3];
        for (int plane = 0; plane < kPlanes; ++plane) {
            const Index at = plane * stride + output * shape.inputs + input;
            Vector sum = load(sums[0] + at);
            for (Index part = 1; part < parts; ++part) sum += load(sums[part] + at);
            points[plane / 6][plane % 6] = sum;
        }
        both_ways<6, 3>(points, kernel, weights_from_points);
        for (int tap = 0; tap < 9; ++tap) store(weights + (output * 9 + tap) * shape.inputs + input, kernel[tap / 3][tap % 3]);
    }
}

// ---- products of matrices ----
//
// A tile of the result stays in registers while the sums run: rows x Width vectors. Each element of `multiply` is one chain of
// fma() in the order of the channels, however the matrices are cut.

#if defined(__AVX512F__)
constexpr int kRows = 12;           // 24 of the 32 registers
constexpr int kTransposedRows = 8;  // divides the lanes
#else
constexpr int kRows = 6;  // 12 of the 16 registers
constexpr int kTransposedRows = 4;
#endif
static_assert(kTileRows % kRows == 0 && kLanes % kTransposedRows == 0);

// `Width` blocks of products for kRows tiles.
template <int Width>
inline void multiply_tile(Index tiles, Index from, const float* transformed, const float* multipliers, float* products) {
    Vector sums[kRows][Width] = {};
    for (Index block = 0; block < from / kLanes; ++block) {
        const float* const a = transformed + block * tiles * kLanes;
        const float* const b = multipliers + block * kLanes * kLanes;
        for (Index lane = 0; lane < kLanes; ++lane) {
            Vector right[Width];
#pragma GCC unroll 2
            for (int w = 0; w < Width; ++w) right[w] = load(b + lane * kLanes + w * from * kLanes);
#pragma GCC unroll 12
            for (int row = 0; row < kRows; ++row) {
                const Vector left = all(a[row * kLanes + lane]);
#pragma GCC unroll 2
                for (int w = 0; w < Width; ++w) sums[row][w] = fma(left, right[w], sums[row][w]);
            }
        }
    }
#pragma GCC unroll 12
    for (int row = 0; row < kRows; ++row)
#pragma GCC unroll 2
        for (int w = 0; w < Width; ++w) store(products + (w * tiles + row) * kLanes, sums[row][w]);
}

void multiply(Index tiles, Index from, Index to, const float* transformed, const float* multipliers, float* products) {
    const Index blocks = to / kLanes;
    for (Index plane = 0; plane < kPlanes; ++plane) {
        const float* const a = transformed + plane * plane_stride(tiles, from);
        const float* const b = multipliers + plane * plane_stride(from, to);
        float* const c = products + plane * plane_stride(tiles, to);
        Index block = 0;
        for (; block + 2 <= blocks; block += 2)
            for (Index tile = 0; tile < tiles; tile += kRows)
                multiply_tile<2>(tiles, from, a + tile * kLanes, b + block * from * kLanes, c + (block * tiles + tile) * kLanes);
        for (; block < blocks; ++block)
            for (Index tile = 0; tile < tiles; tile += kRows)
                multiply_tile<1>(tiles, from, a + tile * kLanes, b + block * from * kLanes, c + (block * tiles + tile) * kLanes);
    }
}

// kTransposedRows outputs x `Width` blocks of inputs.
template <int Width>
inline void multiply_transposed_tile(Index count, Index tiles, Index inputs, const float* gradients, const float* images,
                                     bool add, float* sums) {
    Vector total[kTransposedRows][Width] = {};
    for (Index tile = 0; tile < count; ++tile) {
        Vector right[Width];
#pragma GCC unroll 2
        for (int w = 0; w < Width; ++w) right[w] = load(images + (w * tiles + tile) * kLanes);
#pragma GCC unroll 8
        for (int row = 0; row < kTransposedRows; ++row) {
            const Vector left = all(gradients[tile * kLanes + row]);
#pragma GCC unroll 2
            for (int w = 0; w < Width; ++w) total[row][w] = fma(left, right[w], total[row][w]);
        }
    }
#pragma GCC unroll 8
    for (int row = 0; row < kTransposedRows; ++row)
#pragma GCC unroll 2
        for (int w = 0; w < Width; ++w) {
            float* const sum = sums + row * inputs + w * kLanes;
            store(sum, add ? load(sum) + total[row][w] : total[row][w]);
        }
}

// Of so many tiles two blocks of inputs and one of gradients stay in the first-level cache. Their sum is added to that of the
// others: shorter chains round less.
constexpr Index kTilesAtOnce = 96;

template <int Width>
inline void multiply_transposed_blocks(Index count, Index tiles, Index outputs, Index inputs, const float* gradients,
                                       const float* images, bool add, float* sums) {
    for (Index output = 0; output < outputs; output += kTransposedRows) {
        const float* const rows = gradients + output / kLanes * tiles * kLanes + output % kLanes;
        multiply_transposed_tile<Width>(count, tiles, inputs, rows, images, add, sums + output * inputs);
    }
}

void multiply_transposed(Index tiles, Index count, Index inputs, const float* gradients, const float* images, bool add,
                         Index sums_stride, float* sums) {
    const Index blocks = inputs / kLanes;
    for (Index plane = 0; plane < kPlanes; ++plane)
        for (Index first = 0; first < tiles; first += kTilesAtOnce) {
            const Index some = smaller(kTilesAtOnce, tiles - first);
            const float* const a = gradients + plane * plane_stride(tiles, count) + first * kLanes;
            const float* const b = images + plane * plane_stride(tiles, inputs) + first * kLanes;
            float* const c = sums + plane * sums_stride;
            const bool more = add || first > 0;
            Index block = 0;
            for (; block + 2 <= blocks; block += 2)
                multiply_transposed_blocks<2>(some, tiles, count, inputs, a, b + block * tiles * kLanes, more,
                                              c + block * kLanes);
            for (; block < blocks; ++block)
                multiply_transposed_blocks<1>(some, tiles, count, inputs, a, b + block * tiles * kLanes, more,
                                              c + block * kLanes);
        }
}

}  // namespace

namespace SATDL_CPU_LEVEL {
extern const WinogradLoops kWinogradLoops;
const WinogradLoops kWinogradLoops{kLanes,   transform_weights,  transform_images,    transform_gradients,
                                   multiply, transform_products, multiply_transposed, transform_kernel_sums};
}  // namespace SATDL_CPU_LEVEL

}  // namespace satdl::stages::kernels
