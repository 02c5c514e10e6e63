// load: images and labels of a dataset. The engine has verified the files against their manifest before this runs.
#include <fmt/format.h>

#include <algorithm>

#include "pipeline/array_files/idx.h"
#include "stages/ports.h"
#include "stages/stages.h"

namespace satdl::stages {
namespace {

const SourceFile& file_of(const StageContext& context, std::string_view role) {
    const auto found = std::ranges::find(context.files(), role, &SourceFile::role);
    if (found == context.files().end()) {
        throw stage_error(fmt::format("the dataset has no {} in this split", role),
                          "its manifest in data/ lists what it has");
    }
    return *found;
}

// The samples, and the extents of one that are not 1.
Shape essential(const Shape& shape) {
    Shape result;
    for (std::size_t axis = 0; axis < shape.size(); ++axis)
        if (axis == 0 || shape[axis] != 1) result.push_back(shape[axis]);
    return result;
}

std::int64_t samples_in(const StageOutput& outcome, const std::string& port) {
    const Shape& shape = outcome.outputs.at(port).at("").shape();
    return shape.empty() ? 1 : shape.front();
}

// The file's array in the shape that the manifest gives it: IDX files of grey images leave out the channel axis.
Array read_as_promised(const SourceFile& file, std::optional<std::int64_t> limit) {
    const Array array = read_idx(file.path, limit);
    Shape shape = file.shape;
    if (limit && !shape.empty()) shape[0] = std::min(shape[0], *limit);
    if (array.dtype() != file.dtype || essential(array.shape()) != essential(shape)) {
        throw Error(ExitCode::Store, fmt::format("{} contains {} {}, but its manifest says {} {}", printable(file.path.string()),
                                                 name_of(array.dtype()), shape_text(array.shape()), name_of(file.dtype),
                                                 shape_text(file.shape)),
                    fmt::format("one of the two is wrong: correct data/{}.yaml, or fetch the file again", file.dataset));
    }
    if (array.count() == 0) {
        throw Error(ExitCode::Store,
                    fmt::format("{} has no samples: its shape is {}", printable(file.path.string()), shape_text(shape)),
                    "a split needs at least one: check its manifest, or fetch the file again");
    }
    return Array(array.dtype(), std::move(shape), array.bytes(), array.owner());
}

StageOutput run(const StageInputs&, StageContext& context) {
    std::optional<std::int64_t> limit;
    if (context.params().given("limit")) limit = context.params().integer("limit");
    StageOutput outcome;
    for (const std::string port : {"images", "labels"}) {
        outcome.outputs[port] = one_array(read_as_promised(file_of(context, port), limit));
    }
    const std::int64_t images = samples_in(outcome, "images");
    const std::int64_t labels = samples_in(outcome, "labels");
    if (images != labels) {
        throw Error(ExitCode::Store,
                    fmt::format("{} holds {} images, {} holds {} labels", printable(file_of(context, "images").path.string()),
                                images, printable(file_of(context, "labels").path.string()), labels),
                    "they belong to different splits, or one is truncated: check the split in the manifest");
    }
    return outcome;
}

}  // namespace

StageEntry load_stage() {
    return {
        .description =
            {
                .kind = "load",
                .help = "Load the images and labels of a dataset (IDX files described by a manifest in data/)",
                .outputs =
                    {{.name = "images", .shape = "dataset(images)", .help = "as in the files"},
                     {.name = "labels", .shape = "dataset(labels)", .help = "class numbers, or other targets"}},
                .params = {{.name = "dataset", .type = ParamType::Dataset, .help = "name of a manifest: data/NAME.yaml"},
                           {.name = "split", .fallback = "train", .help = "split of the dataset"},
                           {.name = "limit",
                            .type = ParamType::Integer,
                            .fallback = "null",
                            .min = 1,
                            .unit = "samples",
                            .help = "load only the first N (default: all)",
                            .smoke_max = kSmokeSamples}},
                .memory_fixed_bytes = 256 << 20,
            },
        .run = run,
    };
}

}  // namespace satdl::stages
