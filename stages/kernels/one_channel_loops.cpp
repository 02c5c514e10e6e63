// Compiled once for each level (vectors.h).
#include "stages/kernels/one_channel_loops.h"

#include "stages/kernels/vectors.h"

namespace satdl::stages::kernels {
namespace {

// Zeros around, so that no tap has to ask where it is.
void pad(const ImageSize& size, const float* one, float* padded) {
    const Index pitch = size.width + 2;
    for (Index i = 0; i < size.padded_pixels(); ++i) padded[i] = 0;
    for (Index row = 0; row < size.height; ++row)
        for (Index column = 0; column < size.width; ++column)
            padded[(row + 1) * pitch + column + 1] = one[row * size.width + column];
}

void to_many(const ImageSize& size, const float* one, const float* weights, const float* bias, bool relu, float* many,
             float* padded) {
    pad(size, one, padded);
    for (Index channel = 0; channel < size.channels; channel += kLanes) {
        Vector kernel[9];
        for (int tap = 0; tap < 9; ++tap) kernel[tap] = load(weights + tap * size.channels + channel);
        const Vector first = bias != nullptr ? load(bias + channel) : Vector{};
        for (Index row = 0; row < size.height; ++row)
            for (Index column = 0; column < size.width; ++column) {
                const float* const from = padded + row * (size.width + 2) + column;
                Vector sum = first;
#pragma GCC unroll 9
                for (int tap = 0; tap < 9; ++tap) sum = fma(all(from[tap / 3 * (size.width + 2) + tap % 3]), kernel[tap], sum);
                store(many + (row * size.width + column) * size.channels + channel, relu ? positive(sum) : sum);
            }
    }
}

// 16 sums whatever the level: sum i takes the channels i, i + 16, ...
constexpr Index kSums = 16;
struct Sums {
    Vector parts[kSums / kLanes];
};

inline float total(const Sums& sums) {
    alignas(64) float s[kSums];
    for (Index part = 0; part < kSums / kLanes; ++part) store(s + part * kLanes, sums.parts[part]);
    for (Index half = kSums / 2; half > 0; half /= 2)
        for (Index i = 0; i < half; ++i) s[i] += s[i + half];
    return s[0];
}

void to_one(const ImageSize& size, const float* many, const float* weights, float bias, float* one) {
    const Index channels = size.channels;
    for (Index row = 0; row < size.height; ++row)
        for (Index column = 0; column < size.width; ++column) {
            Sums sums{};
            const Index left = column == 0 ? 1 : 0, right = column + 1 == size.width ? 2 : 3;
            for (Index i = row == 0 ? 1 : 0; i < (row + 1 == size.height ? 2 : 3); ++i) {
                const float* const pixels = many + ((row + i - 1) * size.width + column - 1) * channels;
                for (Index j = left; j < right; ++j)
                    for (Index channel = 0; channel < channels; channel += kSums)
                        for (Index part = 0; part < kSums / kLanes; ++part) {
                            const Index at = channel + part * kLanes;
                            sums.parts[part] = fma(load(pixels + j * channels + at), load(weights + (i * 3 + j) * channels + at),
                                                   sums.parts[part]);
                        }
            }
            one[row * size.width + column] = bias + total(sums);
        }
}

void add_weight_gradient(const ImageSize& size, const float* one, const float* many, float* sums, float* padded) {
    pad(size, one, padded);
    for (Index channel = 0; channel < size.channels; channel += kLanes) {
        Vector of_image[9] = {};
        for (Index row = 0; row < size.height; ++row)
            for (Index column = 0; column < size.width; ++column) {
                const Vector pixel = load(many + (row * size.width + column) * size.channels + channel);
                const float* const from = padded + row * (size.width + 2) + column;
#pragma GCC unroll 9
                for (int tap = 0; tap < 9; ++tap)
                    of_image[tap] = fma(all(from[tap / 3 * (size.width + 2) + tap % 3]), pixel, of_image[tap]);
            }
        for (int tap = 0; tap < 9; ++tap) {
            float* const sum = sums + tap * size.channels + channel;
            store(sum, load(sum) + of_image[tap]);
        }
    }
}

}  // namespace

namespace SATDL_CPU_LEVEL {
extern const OneChannelLoops kOneChannelLoops;
const OneChannelLoops kOneChannelLoops{to_many, to_one, add_weight_gradient};
}  // namespace SATDL_CPU_LEVEL

}  // namespace satdl::stages::kernels
