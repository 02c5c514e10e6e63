// add_noise: clip(x + noise_factor * N(0, 1), 0, 1). The noise at a position depends on (seed, stream, position) alone.
//
// Not numeric: random.cpp draws with basic arithmetic only, so the bytes are the same on every machine, with any number of
// threads and any LibTorch.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <limits>
#include <span>

#include "pipeline/core/fresh_array.h"
#include "stages/finite.h"
#include "stages/parallel.h"
#include "stages/ports.h"
#include "stages/random.h"
#include "stages/stages.h"

namespace satdl::stages {
namespace {

constexpr std::int64_t kChunk = 1024;  // elements whose noise is made at a time; even, for normal numbers come in pairs
constexpr std::int64_t kGrain = 16 * kChunk;

// As std::clamp, whose references would keep the loop over it from being vectorised.
float noisy(float x, double noise) {
    const double moved = x + noise, raised = moved < 0.0 ? 0.0 : moved;
    return static_cast<float>(1.0 < raised ? 1.0 : raised);
}

void add(std::span<const float> images, std::span<const double> noise, double factor, std::span<float> to) {
    for (std::size_t i = 0; i < to.size(); ++i) to[i] = noisy(images[i], factor * noise[i]);
}

// Whether one lies outside 0 to 1, or is a NaN or -0. On bits, and without an early end: this way it is vectorised.
bool may_be_beyond(std::span<const float> images) {
    constexpr auto kOne = std::bit_cast<std::uint32_t>(1.0F);
    std::uint32_t borrowed = 0;
    for (const float x : images) borrowed |= (kOne - std::bit_cast<std::uint32_t>(x)) | std::bit_cast<std::uint32_t>(x);
    return borrowed >> 31 != 0;
}

// What clipping would make 0 or 1 even without noise.
void warn_of_range(std::span<const float> images, StageContext& context) {
    float min = std::numeric_limits<float>::infinity(), max = -min;
    for (const float x : images) {  // a NaN is neither
        if (x < min) min = x;
        if (x > max) max = x;
    }
    if (min >= 0 && max <= 1) return;
    context.log(LogLevel::Warning,
                fmt::format("images go from {:g} to {:g}, but noise is added to images of 0 to 1, and the result is clipped to that: "
                            "normalise them first, for example with the stage `normalise`",
                            min, max));
}

StageOutput run(const StageInputs& inputs, StageContext& context) {
    const Array& images = array_at(inputs, "images");
    const double factor = context.params().number("noise_factor");
    const Stream stream(context.params().integer("seed"), Purpose::Noise, 0, word_of(context.params().text("stream")));
    FreshArray result(DType::Float32, images.shape());
    const std::span<const float> from = images.values<float>();
    const std::span<float> to = result.values<float>();
    std::atomic<bool> beyond = false;
    parallel_ranges(images.count(), kGrain, context.threads(), [&](std::int64_t first, std::int64_t last) {
        std::array<double, kChunk> noise;
        for (std::int64_t begin = first; begin < last; begin += kChunk) {
            const auto place = static_cast<std::size_t>(begin), count = static_cast<std::size_t>(std::min(kChunk, last - begin));
            stream.fill_normal(place, std::span(noise).first(count));
            add(from.subspan(place, count), noise, factor, to.subspan(place, count));
            if (may_be_beyond(from.subspan(place, count))) beyond = true;
        }
    });
    if (beyond) warn_of_range(from, context);
    Array with_noise = std::move(result).finish();
    warn_of_not_finite(with_noise, "images", context);
    return {.outputs = {{"images", one_array(std::move(with_noise))}}, .tables = {}};
}

}  // namespace

StageEntry add_noise_stage() {
    return {
        .description =
            {
                .kind = "add_noise",
                .help = "Add normally distributed noise and clip: clip(x + noise_factor * N(0, 1), 0, 1)",
                .inputs = {{.name = "images", .dtypes = {DType::Float32}, .shape = "[N, ...]", .help = "in 0 ... 1",
                            .role = PortRole::Images}},
                .outputs = {{.name = "images", .dtypes = {DType::Float32}, .shape = "[N, ...]", .help = "in 0 ... 1",
                             .role = PortRole::NoisyImages}},
                .params =
                    {{.name = "noise_factor",
                      .type = ParamType::Number,
                      .fallback = "0.4",
                      .min = 0,
                      .max = 1e6,
                      .help = "standard deviation of the noise"},
                     {.name = "seed", .type = ParamType::Integer, .fallback = "0", .help = "another seed, another noise"},
                     {.name = "stream",
                      .fallback = "\"\"",
                      .help =
                          "any text; a different text gives different noise from the same seed (for training and test images, say)"},
                     threads_param()},
                .memory_per_input_byte = 1.0,
                .large_outputs_in_files = true,
            },
        .run = run,
    };
}

}  // namespace satdl::stages
