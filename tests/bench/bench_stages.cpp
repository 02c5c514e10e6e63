// Two trivial stages, for measuring what the engine itself costs.
#include "pipeline/stage.h"

namespace {

using namespace satdl;

StageOutput one_number(double number) {
    StageOutput outcome;
    outcome.outputs["y"][""] = Array::of<double>({1}, std::span<const double>(&number, 1));
    return outcome;
}

StageOutput run_source(const StageInputs&, StageContext& context) {
    return one_number(static_cast<double>(context.params().integer("value")));
}

StageOutput run_tiny(const StageInputs& inputs, StageContext& context) {
    return one_number(inputs.at("x").at("").values<double>()[0] + static_cast<double>(context.params().integer("value")));
}

StageLibraryInfo make_info() {
    const ParamDescription value{.name = "value", .type = ParamType::Integer, .help = "what is added"};
    const PortDescription y{.name = "y", .dtypes = {DType::Float64}, .shape = "[1]", .help = "one number"};
    const PortDescription x{.name = "x", .dtypes = {DType::Float64}, .shape = "[1]", .help = "one number"};
    StageLibraryInfo info;
    info.name = "bench";
    info.stages = {
        {{.kind = "tiny_source", .help = "one number", .outputs = {y}, .params = {value}}, run_source},
        {{.kind = "tiny", .help = "one number more", .inputs = {x}, .outputs = {y}, .params = {value}}, run_tiny},
    };
    return info;
}

}  // namespace

SATDL_STAGE_LIBRARY(make_info)
