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
        throw stage_error(fmt::format("'array' chooses one of an HDF5 file; {} holds one alone", printable(path.string())),
                          "leave it out, or name a file that ends with .h5");
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
            .help = "An array from a file of one's own: .npy (NumPy), .h5 (HDF5) or IDX",
            .outputs = {{.name = "data", .help = "as the file holds it"}},
            .params = {{.name = "file", .type = ParamType::File,
                        .help = "NAME.npy, NAME.h5, or else IDX; its content is part of the key"},
                       {.name = "array", .fallback = "\"\"",
                        .help = "HDF5: which array of the file, as group/name (default: the only one)"},
                       {.name = "limit", .type = ParamType::Integer, .fallback = "null", .min = 1, .unit = "entries",
                        .help = "only the first so many along the first dimension (default: all)",
                        .smoke_max = kSmokeSamples}},
            .memory_fixed_bytes = 256 << 20,
        },
        .run = run,
    };
}

}  // namespace satdl::stages
