// concat: two arrays as one, the samples of the second after those of the first.
#include <algorithm>

#include "pipeline/core/fresh_array.h"
#include "stages/ports.h"
#include "stages/stages.h"

namespace satdl::stages {
namespace {

StageOutput run(const StageInputs& inputs, StageContext&) {
    const Array& first = array_at(inputs, "first");
    const Array& second = array_at(inputs, "second");
    Shape shape = first.shape();
    shape[0] += second.shape()[0];
    FreshArray result(first.dtype(), std::move(shape));
    std::ranges::copy(second.bytes(), std::ranges::copy(first.bytes(), result.bytes().begin()).out);
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
            .memory_per_input_byte = 1.0,
        },
        .run = run,
    };
}

}  // namespace satdl::stages
