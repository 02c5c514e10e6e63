// Compiled once for each level: the compiler makes vectors of the loops over channels. No templates of the standard library
// (vectors.h says why), no products joined to sums (-ffp-contract=off).
#include "stages/kernels/channel_loops.h"

namespace satdl::stages::kernels {
namespace {

using Index = std::int64_t;

// A sum in float32 loses a digit for each hundredfold; so many rows are added in float32, and their sums in float64.
constexpr Index kFewRows = 64;

// body(row) for all rows; after each few of them, and at the end, `few` is added to `sums` and begins again at 0.
template <typename Body>
inline void for_rows(const RowRange& range, Index count, float* few, double* const* sums, const Body& body) {
    for (Index first = range.first; first < range.last; first += kFewRows) {
        const Index last = first + kFewRows < range.last ? first + kFewRows : range.last;
        for (Index i = 0; i < count * range.channels; ++i) few[i] = 0;
        for (Index row = first; row < last; ++row) body(row);
        for (Index which = 0; which < count; ++which)
            for (Index channel = 0; channel < range.channels; ++channel)
                sums[which][channel] += static_cast<double>(few[which * range.channels + channel]);
    }
}

void add_moments(const RowRange& range, const float* x, const float* shift, float* few, double* sums, double* squares) {
    const Index channels = range.channels;
    double* const both[] = {sums, squares};
    for_rows(range, 2, few, both, [=](Index row) {
        const float* const from = x + row * channels;
        float* const few_squares = few + channels;
#pragma GCC ivdep
        for (Index channel = 0; channel < channels; ++channel) {
            const float value = from[channel] - shift[channel];
            few[channel] += value;
            few_squares[channel] += value * value;
        }
    });
}

void normalise(const RowRange& range, const float* x, const float* mean, const float* scale, const float* offset, float* y) {
    const Index channels = range.channels;
    for (Index row = range.first; row < range.last; ++row) {
        const float* const from = x + row * channels;
        float* const to = y + row * channels;
#pragma GCC ivdep
        for (Index channel = 0; channel < channels; ++channel)
            to[channel] = (from[channel] - mean[channel]) * scale[channel] + offset[channel];
    }
}

void add_gradient_moments(const RowRange& range, const float* x, const float* dy, const float* mean, float* few, double* sums,
                          double* products) {
    const Index channels = range.channels;
    double* const both[] = {sums, products};
    for_rows(range, 2, few, both, [=](Index row) {
        const float *const value = x + row * channels, *const gradient = dy + row * channels;
        float* const few_products = few + channels;
#pragma GCC ivdep
        for (Index channel = 0; channel < channels; ++channel) {
            few[channel] += gradient[channel];
            few_products[channel] += gradient[channel] * (value[channel] - mean[channel]);
        }
    });
}

void normalise_gradient(const RowRange& range, const float* x, const float* dy, const GradientFactors& factors, bool relu,
                        float* dx, float* few, double* sums) {
    const Index channels = range.channels;
    const auto [mean, mean_dy, slope, scale] = factors;
    const float least = relu ? 0 : -__builtin_inff();
    for_rows(range, 1, few, &sums, [=](Index row) {
        const float *const value = x + row * channels, *const gradient = dy + row * channels;
        float* const to = dx + row * channels;
#pragma GCC ivdep
        for (Index channel = 0; channel < channels; ++channel) {
            const float centred = value[channel] - mean[channel];
            const float result = (gradient[channel] - mean_dy[channel] - centred * slope[channel]) * scale[channel];
            const float passed = value[channel] > least ? result : 0;
            to[channel] = passed;
            few[channel] += passed;
        }
    });
}

void relu_gradient(const RowRange& range, const float* x, const float* dy, float* dx, float* few, double* sums) {
    const Index channels = range.channels;
    for_rows(range, 1, few, &sums, [=](Index row) {
        const float *const value = x + row * channels, *const gradient = dy + row * channels;
        float* const to = dx + row * channels;
#pragma GCC ivdep
        for (Index channel = 0; channel < channels; ++channel) {
            const float passed = value[channel] > 0 ? gradient[channel] : 0;
            to[channel] = passed;
            few[channel] += passed;
        }
    });
}

void add(const RowRange& range, const float* x, float* few, double* sums) {
    const Index channels = range.channels;
    for_rows(range, 1, few, &sums, [=](Index row) {
        const float* const from = x + row * channels;
#pragma GCC ivdep
        for (Index channel = 0; channel < channels; ++channel) few[channel] += from[channel];
    });
}

}  // namespace

namespace SATDL_CPU_LEVEL {
extern const ChannelLoops kChannelLoops;
const ChannelLoops kChannelLoops{add_moments, normalise, add_gradient_moments, normalise_gradient, relu_gradient, add};
}  // namespace SATDL_CPU_LEVEL

}  // namespace satdl::stages::kernels
