// read: an array of the user's own.
#include <cstdint>
#include <optional>
#include <utility>

#include "stages/idx.h"
#include "stages/npy.h"
#include "stages/ports.h"
#include "stages/stages.h"

namespace satdl::stages {
namespace {

Outcome run(const StageInputs&, StageContext& context) {
    SATDL_CHECK(context.files().size() == 1, "the stage reads one file");
    const std::filesystem::path& path = context.files().front().path;
    std::optional<std::int64_t> limit;
    if (context.params().given("limit")) limit = context.params().integer("limit");
    Array array = path.extension() == ".npy" ? read_npy(path, limit) : read_idx(path, limit);
    return {.outputs = {{"data", one_array(std::move(array))}}, .tables = {}};
}

}  // namespace

StageEntry read_stage() {
    return {
        .description = {
            .kind = "read",
            .help = "An array from a file of one's own: .npy (NumPy) or IDX",
            .outputs = {{.name = "data", .help = "as the file holds it"}},
            .params = {{.name = "file", .type = ParamType::File,
                        .help = "NAME.npy, or else IDX; its content is part of the key"},
                       {.name = "limit", .type = ParamType::Integer, .fallback = "null", .least = 1, .unit = "entries",
                        .help = "only the first so many along the first dimension (default: all)",
                        .smoke_most = kSmokeSamples}},
            .memory_fixed_bytes = 256 << 20,
        },
        .run = run,
    };
}

}  // namespace satdl::stages
