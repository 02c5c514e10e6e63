#include "stages/kernels/one_channel.h"

#include <algorithm>
#include <vector>

namespace satdl::stages::kernels {
namespace {

constexpr std::int64_t kImageParts = 16;  // of the images, each of which sums its weights' gradient
constexpr std::int64_t kTaps = 9;

std::vector<float> zeros(std::int64_t count) { return std::vector<float>(static_cast<std::size_t>(count)); }

// Weights lie by output, tap and input; the loops read them by tap and channel.
std::vector<float> by_tap(const ConvShape& shape, const float* weights, bool turned) {
    const std::int64_t channels = std::max(shape.inputs, shape.outputs);
    std::vector<float> result = zeros(kTaps * channels);
    for (std::int64_t tap = 0; tap < kTaps; ++tap)
        for (std::int64_t channel = 0; channel < channels; ++channel) {
            const std::int64_t from = turned ? kTaps - 1 - tap : tap;
            result[static_cast<std::size_t>(tap * channels + channel)] =
                weights[shape.inputs == 1 ? channel * kTaps + from : from * channels + channel];
        }
    return result;
}

}  // namespace

bool one_channel_takes(std::int64_t inputs, std::int64_t outputs) {
    return (inputs == 1 && outputs % 16 == 0) || (outputs == 1 && inputs % 16 == 0);
}

OneChannel::OneChannel(const OneChannelLoops& loops, const ConvShape& shape, const Workers& workers)
    : loops_(loops), shape_(shape), workers_(workers), size_{shape.height, shape.width, std::max(shape.inputs, shape.outputs)} {}

void OneChannel::forward(const float* x, const float* weights, const float* bias, bool relu, float* y) const {
    if (shape_.inputs == 1) return to_many(x, weights, Taps::AsTheyAre, bias, relu, y);
    to_one(x, weights, Taps::AsTheyAre, bias != nullptr ? *bias : 0, relu, y);
}

void OneChannel::data_gradient(const float* dy, const float* weights, float* dx) const {
    if (shape_.outputs == 1) return to_many(dy, weights, Taps::Turned, nullptr, false, dx);
    to_one(dy, weights, Taps::Turned, 0, false, dx);
}

void OneChannel::to_many(const float* one, const float* weights, Taps taps, const float* bias, bool relu, float* many) const {
    const std::vector<float> kernel = by_tap(shape_, weights, taps == Taps::Turned);
    std::vector<float> padded = zeros(workers_.count * size_.padded_pixels());
    workers_.run(shape_.images, [&](std::int64_t image, std::int64_t worker) {
        loops_.to_many(size_, one + image * size_.pixels(), kernel.data(), bias, relu,
                       many + image * size_.pixels() * size_.channels, padded.data() + worker * size_.padded_pixels());
    });
}

void OneChannel::to_one(const float* many, const float* weights, Taps taps, float bias, bool relu, float* one) const {
    const std::vector<float> kernel = by_tap(shape_, weights, taps == Taps::Turned);
    workers_.run(shape_.images, [&](std::int64_t image, std::int64_t) {
        float* const to = one + image * size_.pixels();
        loops_.to_one(size_, many + image * size_.pixels() * size_.channels, kernel.data(), bias, to);
        if (relu) std::transform(to, to + size_.pixels(), to, [](float value) { return value > 0 ? value : 0; });
    });
}

void OneChannel::weight_gradient(const float* x, const float* dy, float* dweights) const {
    const float* const one = shape_.inputs == 1 ? x : dy;
    const float* const many = shape_.inputs == 1 ? dy : x;
    const std::int64_t floats = kTaps * size_.channels;
    std::vector<float> sums = zeros(kImageParts * floats), padded = zeros(workers_.count * size_.padded_pixels());
    workers_.run(kImageParts, [&](std::int64_t part, std::int64_t worker) {
        for (std::int64_t image = shape_.images * part / kImageParts; image < shape_.images * (part + 1) / kImageParts; ++image)
            loops_.add_weight_gradient(size_, one + image * size_.pixels(), many + image * size_.pixels() * size_.channels,
                                       sums.data() + part * floats, padded.data() + worker * size_.padded_pixels());
    });
    for (std::int64_t tap = 0; tap < kTaps; ++tap)
        for (std::int64_t channel = 0; channel < size_.channels; ++channel) {
            float sum = 0;
            for (std::int64_t part = 0; part < kImageParts; ++part)
                sum += sums[static_cast<std::size_t>(part * floats + tap * size_.channels + channel)];
            // With one output, the loops' `one` is the output: it lies on the other side of the tap.
            if (shape_.inputs == 1)
                dweights[channel * kTaps + tap] = sum;
            else
                dweights[(kTaps - 1 - tap) * size_.channels + channel] = sum;
        }
}

}  // namespace satdl::stages::kernels
