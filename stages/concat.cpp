// concat: two arrays as one, the samples of the second after those of the first.
#include <fmt/format.h>

#include <algorithm>

#include "pipeline/core/fresh_array.h"
#include "stages/ports.h"
#include "stages/stages.h"

namespace satdl::stages {
namespace {

// Where an extent was not known before the stage ran, the plan's check of shapes could not see it.
void check_fit(const Array& first, const Array& second) {
    const Shape& a = first.shape();
    const Shape& b = second.shape();
    const bool same_samples = a.size() == b.size() && !a.empty() && std::equal(a.begin() + 1, a.end(), b.begin() + 1);
    if (first.dtype() == second.dtype() && same_samples) return;
    throw stage_error(fmt::format("cannot concatenate {} {} and {} {}", name_of(first.dtype()), shape_text(a),
                                  name_of(second.dtype()), shape_text(b)),
                      "the element types, and all dimensions but the first, must be equal");
}

StageOutput run(const StageInputs& inputs, StageContext&) {
    const Array& first = array_at(inputs, "first");
    const Array& second = array_at(inputs, "second");
    check_fit(first, second);
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
                       {.name = "second", .shape = "[M, ...S]", .help = "the same element type"}},
            .outputs = {{.name = "data", .shape = "[_, ...S]", .help = "N + M samples"}},
            .memory_per_input_byte = 1.0,
        },
        .run = run,
    };
}

}  // namespace satdl::stages
