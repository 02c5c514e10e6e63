// read: an array of the user's own.
#include <fmt/format.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "pipeline/hdf5/hdf5_import.h"
#include "stages/idx.h"
#include "stages/npy.h"
#include "stages/ports.h"
#include "stages/stages.h"

namespace satdl::stages {
namespace {

Array read_array(const std::filesystem::path& path, const std::string& name, std::optional<std::int64_t> limit) {
    if (path.extension() == ".h5" || path.extension() == ".hdf5") return import_hdf5(path, name, limit);
    if (!name.empty()) {
        throw stage_error(fmt::format("'array' selects an array of an HDF5 file, but {} is not an HDF5 file", printable(path.string())),
                          "remove it, or name a file that ends with .h5");
    }
    return path.extension() == ".npy" ? read_npy(path, limit) : read_idx(path, limit);
}

StageOutput run(const StageInputs&, StageContext& context) {
    SATDL_CHECK(context.files().size() == 1, "the stage reads one file");
    const std::filesystem::path& path = context.files().front().path;
    std::optional<std::int64_t> limit;
    if (context.params().given("limit")) limit = context.params().integer("limit");
    return {.outputs = {{"data", one_array(read_array(path, context.params().text("array"), limit))}}, .tables = {}};
}

}  // namespace

StageEntry read_stage() {
    return {
        .description = {
            .kind = "read",
            .help = "Load an array from your own file: .npy (NumPy), .h5 (HDF5) or IDX",
            .outputs = {{.name = "data", .help = "as in the file"}},
            .params = {{.name = "file", .type = ParamType::File,
                        .help = "NAME.npy, NAME.h5, otherwise IDX; its content is part of the key"},
                       {.name = "array", .fallback = "\"\"",
                        .help = "HDF5: the array to load, as group/name (default: the only one)"},
                       {.name = "limit", .type = ParamType::Integer, .fallback = "null", .min = 1, .unit = "entries",
                        .help = "load only the first N along the first dimension (default: all)",
                        .smoke_max = kSmokeSamples}},
            .memory_fixed_bytes = 256 << 20,
        },
        .run = run,
    };
}

}  // namespace satdl::stages
