#include "stages/kernels/batch_norm.h"

#include <algorithm>

namespace satdl::stages::kernels {
namespace {

constexpr std::int64_t kRowParts = 16;
constexpr std::int64_t kWorthThreads = 1 << 15;  // numbers; fewer are done at once by one thread

const ChannelLoops& loops() { return channel_loops(cpu_level()); }

// The rows of each part.
void for_parts(const Rows& shape, const Workers& workers,
               const std::function<void(std::int64_t part, const RowRange& range)>& body) {
    const auto task = [&](std::int64_t part, std::int64_t) {
        body(part, {shape.rows * part / kRowParts, shape.rows * (part + 1) / kRowParts, shape.channels});
    };
    if (shape.rows * shape.channels >= kWorthThreads) return workers.run(kRowParts, task);
    for (std::int64_t part = 0; part < kRowParts; ++part) task(part, 0);
}

// `Count` sums by channel of each part, in float64, and the memory for a few rows' in float32.
template <std::size_t Count>
class PartSums {
public:
    explicit PartSums(std::int64_t channels)
        : channels_(channels),
          sums_(static_cast<std::size_t>(kRowParts * size()), 0.0),
          few_(static_cast<std::size_t>(kRowParts * size())) {}

    [[nodiscard]] double* of(std::int64_t part, std::size_t which) {
        return sums_.data() + part * size() + static_cast<std::int64_t>(which) * channels_;
    }
    [[nodiscard]] float* few(std::int64_t part) { return few_.data() + part * size(); }

    // In the order of the parts.
    [[nodiscard]] double total(std::size_t which, std::int64_t channel) {
        double sum = 0;
        for (std::int64_t part = 0; part < kRowParts; ++part) sum += of(part, which)[channel];
        return sum;
    }

private:
    [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(Count) * channels_; }

    std::int64_t channels_;
    std::vector<double> sums_;
    std::vector<float> few_;
};

void write_totals(PartSums<1>& sums, const Rows& shape, float* to) {
    for (std::int64_t channel = 0; channel < shape.channels; ++channel) to[channel] = static_cast<float>(sums.total(0, channel));
}

}  // namespace

Moments moments_of(const Rows& shape, const float* x, const Workers& workers) {
    const float* const shift = x;  // the first row: squares of numbers far from 0 would cancel
    PartSums<2> sums(shape.channels);
    for_parts(shape, workers, [&](std::int64_t part, const RowRange& range) {
        loops().add_moments(range, x, shift, sums.few(part), sums.of(part, 0), sums.of(part, 1));
    });
    Moments moments;
    for (std::int64_t channel = 0; channel < shape.channels; ++channel) {
        const auto rows = static_cast<double>(shape.rows);
        const double mean = sums.total(0, channel) / rows;
        moments.mean.push_back(static_cast<double>(shift[channel]) + mean);
        moments.variance.push_back(std::max(sums.total(1, channel) / rows - mean * mean, 0.0));
    }
    return moments;
}

void normalise(const Rows& shape, const float* x, const float* mean, const float* factor, const float* offset, float* y,
               const Workers& workers) {
    for_parts(shape, workers, [&](std::int64_t, const RowRange& range) { loops().normalise(range, x, mean, factor, offset, y); });
}

void batch_norm_gradient(const Rows& shape, const float* x, const float* dy, const float* mean, const double* inverse_deviation,
                         const float* scale, bool relu, float* dx, float* dscale, float* doffset, float* dbias,
                         const Workers& workers) {
    PartSums<2> sums(shape.channels);
    for_parts(shape, workers, [&](std::int64_t part, const RowRange& range) {
        loops().add_gradient_moments(range, x, dy, mean, sums.few(part), sums.of(part, 0), sums.of(part, 1));
    });
    std::vector<float> mean_dy, slope, factor;
    for (std::int64_t channel = 0; channel < shape.channels; ++channel) {
        const auto rows = static_cast<double>(shape.rows);
        const double inverse = inverse_deviation[channel];
        const double sum = sums.total(0, channel), product = sums.total(1, channel);
        doffset[channel] = static_cast<float>(sum);
        dscale[channel] = static_cast<float>(product * inverse);
        mean_dy.push_back(static_cast<float>(sum / rows));
        slope.push_back(static_cast<float>(product / rows * inverse * inverse));
        factor.push_back(static_cast<float>(inverse * static_cast<double>(scale[channel])));
    }
    PartSums<1> of_dx(shape.channels);
    for_parts(shape, workers, [&](std::int64_t part, const RowRange& range) {
        loops().normalise_gradient(range, x, dy, {mean, mean_dy.data(), slope.data(), factor.data()}, relu, dx, of_dx.few(part),
                                   of_dx.of(part, 0));
    });
    write_totals(of_dx, shape, dbias);
}

void relu_gradient(const Rows& shape, const float* y, const float* dy, float* dx, float* dbias, const Workers& workers) {
    PartSums<1> sums(shape.channels);
    for_parts(shape, workers, [&](std::int64_t part, const RowRange& range) {
        loops().relu_gradient(range, y, dy, dx, sums.few(part), sums.of(part, 0));
    });
    write_totals(sums, shape, dbias);
}

void sum_of_rows(const Rows& shape, const float* x, float* sum, const Workers& workers) {
    PartSums<1> sums(shape.channels);
    for_parts(shape, workers,
              [&](std::int64_t part, const RowRange& range) { loops().add(range, x, sums.few(part), sums.of(part, 0)); });
    write_totals(sums, shape, sum);
}

}  // namespace satdl::stages::kernels
