// A stage library of a user's own, without LibTorch: what docs/stages.md walks through, and what stage_library_test loads.
#include <stdexcept>
#include <string>
#include <vector>

#include "pipeline/core/error.h"
#include "pipeline/stage.h"

namespace {

using namespace satdl;

// numbers: any shape -> the same shape, each times `factor`.
StageOutput times(const StageInputs& inputs, StageContext& context) {
    const Array& numbers = inputs.at("numbers").at("");
    const double factor = context.params().number("factor");
    std::vector<double> products;
    for (const double number : numbers.values<double>()) products.push_back(number * factor);
    return {{{"products", {{"", Array::of<double>(numbers.shape(), products)}}}}, {}};
}

// FinalCheckpoints as `how` says: for the tests of what satdl makes of it.
StageOutput end_badly(const StageInputs&, StageContext& context) {
    const std::string& how = context.params().text("how");
    if (how == "error") throw Error(ExitCode::StageFailed, "the numbers do not add up", "use others");
    if (how == "stopped") throw Stopped{};
    throw std::runtime_error("index 7 is out of bounds");
}

StageLibraryInfo mine() {
    const StageDescription times_description{
        .kind = "times",
        .help = "each number times a factor",
        .inputs = {{.name = "numbers", .dtypes = {DType::Float64}, .shape = "[N, ...]", .help = "what to multiply"}},
        .outputs = {{.name = "products", .dtypes = {DType::Float64}, .shape = "[N, ...]", .help = "the products"}},
        .params = {{.name = "factor", .type = ParamType::Number, .fallback = "2", .help = "what to multiply with"}},
    };
    const StageDescription end_badly_description{
        .kind = "end_badly",
        .help = "fails",
        .outputs = {{.name = "nothing", .dtypes = {DType::UInt8}}},
        .params = {{.name = "how", .type = ParamType::Choice, .choices = {"error", "stopped", "exception"}, .help = "in which way"}},
    };
    return {"mine", {}, {{times_description, times}, {end_badly_description, end_badly}}};
}

}  // namespace

SATDL_STAGE_LIBRARY(mine)
