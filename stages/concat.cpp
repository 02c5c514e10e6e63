// concat: two arrays as one, the samples of the second after those of the first.
#include <algorithm>
#include <span>

#include "pipeline/core/fresh_array.h"
#include "stages/parallel.h"
#include "stages/ports.h"
#include "stages/stages.h"

namespace satdl::stages {
namespace {

constexpr std::int64_t kGrain = 1 << 18;  // bytes

StageOutput run(const StageInputs& inputs, StageContext& context) {
    const Array& first = array_at(inputs, "first");
    const Array& second = array_at(inputs, "second");
    Shape shape = first.shape();
    shape[0] += second.shape()[0];
    FreshArray result(first.dtype(), std::move(shape));
    std::span<std::byte> rest = result.bytes();
    for (const std::span<const std::byte> from : {first.bytes(), second.bytes()}) {
        parallel_ranges(static_cast<std::int64_t>(from.size()), kGrain, context.threads(), [&](std::int64_t begin, std::int64_t end) {
            std::copy(from.begin() + begin, from.begin() + end, rest.begin() + begin);
        });
        rest = rest.subspan(from.size());
    }
    return {.outputs = {{"data", one_array(std::move(result).finish())}}, .tables = {}};
}

}  // namespace

StageEntry concat_stage() {
    return {
        .description = {
            .kind = "concat",
            .help = "Concatenate two arrays along the first dimension",
            .inputs = {{.name = "first", .shape = "[N, ...S]", .help = "any element type"},
                       {.name = "second", .dtype_of = "first", .shape = "[M, ...S]"}},
            .outputs = {{.name = "data", .dtype_of = "first", .shape = "[_, ...S]", .help = "N + M samples"}},
            .params = {threads_param()},
            .memory_per_input_byte = 1.0,
            .large_outputs_in_files = true,
        },
        .run = run,
    };
}

}  // namespace satdl::stages
