// read: an array of the user's own.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "pipeline/array_files/array_file.h"
#include "pipeline/array_files/array_layout.h"
#include "pipeline/core/reshape.h"
#include "stages/array_conversion.h"
#include "stages/ports.h"
#include "stages/stages.h"

namespace satdl::stages {
namespace {

bool is_channels(std::int64_t extent) { return extent == 1 || extent == 3 || extent == 4; }

// Images as most programs keep them have their channels last; networks take the second axis for channels.
bool looks_like_nhwc(const Shape& shape) {
    return shape.size() == 4 && is_channels(shape[3]) && shape[1] > 4 && shape[2] > 4;
}

Array with_channels_first(const Array& array) {
    if (array.shape().size() != 4)
        throw stage_error(fmt::format("layout nhwc is for an array [N, H, W, C], this one is {}", shape_text(array.shape())));
    return with_axes(array, std::array<std::size_t, 4>{0, 3, 1, 2});
}

Array with_shape(const Array& array, const Params& params, const std::filesystem::path& file) {
    auto shape = reshaped(array.shape(), params.numbers("reshape"));
    if (const auto* cannot = std::get_if<CannotReshape>(&shape))
        throw stage_error(fmt::format("{} cannot be reshaped: {}", printable(file.string()), cannot->because), kReshapeIs);
    return Array(array.dtype(), std::get<Shape>(std::move(shape)), array.bytes(), array.owner());
}

ArraySelection selection_of(const Params& params) {
    ArraySelection selection{.name = params.text("array")};
    if (params.given("limit")) selection.limit = params.integer("limit");
    if (!params.given("columns")) return selection;
    selection.columns = parse_columns(params.text("columns"));
    if (!selection.columns)
        throw stage_error(fmt::format("columns: '{}' is not a range of columns", printable(params.text("columns"))), kColumnsAre);
    return selection;
}

Array with_dtype(const Array& array, const Params& params, const std::filesystem::path& file) {
    try {
        return converted(array, *dtype_from_name(params.text("dtype")), params.boolean("lossy"));
    } catch (const Error& error) {
        const Diagnostic& found = error.diagnostics().front();
        throw stage_error(fmt::format("{}: {}", printable(file.string()), found.message), found.hint);
    }
}

StageOutput run(const StageInputs&, StageContext& context) {
    SATDL_CHECK(context.files().size() == 1, "the stage reads one file");
    const Params& params = context.params();
    const std::filesystem::path& file = context.files().front().path;
    Array array = read_array_file(file, selection_of(params));
    if (params.given("dtype")) array = with_dtype(array, params, file);
    if (params.given("reshape")) array = with_shape(array, params, file);
    if (params.given("layout") && params.text("layout") == "nhwc") {
        array = with_channels_first(array);
    } else if (!params.given("layout") && looks_like_nhwc(array.shape())) {
        context.log(LogLevel::Warning, fmt::format("{0} is read as {1} channels of {2} x {3}; if these are images with {3} channels, write "
                                                   "layout: nhwc, else layout: nchw",
                                                   shape_text(array.shape()), array.shape()[1], array.shape()[2], array.shape()[3]));
    }
    return {.outputs = {{"data", one_array(std::move(array))}}, .tables = {}};
}

}  // namespace

StageEntry read_stage() {
    return {
        .description =
            {
                .kind = "read",
                .version = 2,
                .help = "Load an array from your own file: NumPy (.npy, .npz), HDF5, IDX, CSV or an image (PNG, JPEG), recognised by its "
                        "content",
                .outputs = {{.name = "data", .shape = "file(file)", .help = "as in the file"}},
                .params = {{.name = "file", .type = ParamType::File, .help = "a file of any name; its content is part of the key"},
                           {.name = "array",
                            .fallback = "\"\"",
                            .help = "HDF5 and .npz: the array to load, as group/name (default: the only one)"},
                           {.name = "columns",
                            .fallback = "null",
                            .help = "CSV: the columns to load, counted from 1: 5, or 2-5 (default: all)"},
                           {.name = "limit",
                            .type = ParamType::Integer,
                            .fallback = "null",
                            .min = 1,
                            .unit = "entries",
                            .help = "load only the first N along the first dimension (default: all)",
                            .smoke_max = kSmokeSamples},
                           {.name = "dtype",
                            .type = ParamType::Choice,
                            .fallback = "null",
                            .choices = {"uint8", "int32", "int64", "float32", "float64"},
                            .help = "convert to it; a value that it does not have is an error, but float32 rounds float64 (default: none)"},
                           {.name = "lossy",
                            .type = ParamType::Boolean,
                            .fallback = "false",
                            .help = "dtype: take the nearest value where the type does not have the very same",
                            .needs = {{.param = "dtype"}}},
                           {.name = "reshape",
                            .type = ParamType::Numbers,
                            .fallback = "null",
                            .min = 1,
                            .help = "the shape of one entry, without their number: [1, 28, 28] makes [N, 784] to [N, 1, 28, 28]",
                            .in_key_at_default = false},
                           {.name = "layout",
                            .type = ParamType::Choice,
                            .fallback = "null",
                            .choices = {"nchw", "nhwc"},
                            .help = "how the file keeps images: nhwc is turned into [N, C, H, W]; nchw stays, without a warning"}},
                .memory_fixed_bytes = 256 << 20,
            },
        .run = run,
    };
}

}  // namespace satdl::stages
