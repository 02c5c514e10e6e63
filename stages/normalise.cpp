// normalise: x / scale. One IEEE division an element, so the same bytes on every machine.
#include "pipeline/core/fresh_array.h"
#include "stages/finite.h"
#include "stages/parallel.h"
#include "stages/ports.h"
#include "stages/stages.h"

namespace satdl::stages {
namespace {

constexpr std::int64_t kGrain = 1 << 16;  // elements

template <typename T>
void divide(std::span<const T> from, std::span<float> to, float scale, int threads) {
    parallel_ranges(static_cast<std::int64_t>(from.size()), kGrain, threads, [&](std::int64_t first, std::int64_t last) {
        for (auto i = static_cast<std::size_t>(first); i < static_cast<std::size_t>(last); ++i) {
            to[i] = static_cast<float>(from[i]) / scale;
        }
    });
}

StageOutput run(const StageInputs& inputs, StageContext& context) {
    const Array& images = array_at(inputs, "images");
    const auto scale = static_cast<float>(context.params().number("scale"));
    FreshArray result(DType::Float32, images.shape());
    if (images.dtype() == DType::UInt8) {
        divide(images.values<std::uint8_t>(), result.values<float>(), scale, context.threads());
    } else {
        divide(images.values<float>(), result.values<float>(), scale, context.threads());
    }
    Array divided = std::move(result).finish();
    warn_of_not_finite(divided, "images", context);
    return {.outputs = {{"images", one_array(std::move(divided))}}, .tables = {}};
}

}  // namespace

StageEntry normalise_stage() {
    return {
        .description = {
            .kind = "normalise",
            .help = "Divide by a number: pixels of 0 ... 255 become 0 ... 1",
            .inputs = {{.name = "images", .dtypes = {DType::UInt8, DType::Float32}, .shape = "[N, ...]"}},
            .outputs = {{.name = "images", .dtypes = {DType::Float32}, .shape = "[N, ...]", .help = "images / scale"}},
            .params = {{.name = "scale", .type = ParamType::Number, .fallback = "255", .min = 1e-30, .max = 1e30,
                        .help = "divisor"},
                       threads_param()},
            .memory_per_input_byte = 4.0,
            .large_outputs_in_files = true,
        },
        .run = run,
    };
}

}  // namespace satdl::stages
