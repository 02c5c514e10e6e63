#include "pipeline/plan/disk_space.h"

#include <fmt/format.h>

namespace satdl {
namespace {

// A forced rerun most likely gives the output that is stored already.
bool will_be_written(const Node& node, const PlannedNode& planned, CacheView& cache) {
    if (planned.forced) return false;
    if (planned.action == Action::Unknown) return !cache.previous_run(node);
    return may_run(planned.action);
}

}  // namespace

std::uint64_t bytes_to_write(const Dag& dag, const Plan& plan, CacheView& cache) {
    std::uint64_t bytes = 0;
    for (const PlannedNode& planned : plan.nodes) {
        if (!will_be_written(dag.nodes[planned.node], planned, cache)) continue;
        for (const auto& [port, type] : dag.types[planned.node].outputs) bytes += expected_bytes(type);
    }
    return bytes;
}

void check_disk_space(std::uint64_t bytes, const std::filesystem::path& store_folder, FileSystem& files) {
    if (bytes == 0) return;
    const std::uint64_t free = files.free_bytes(store_folder);
    if (bytes <= free) return;
    throw Error(ExitCode::Store,
                fmt::format("the store '{}' lacks {} bytes of disk space: this run writes at least {}, but only {} are free",
                            printable(store_folder.string()), bytes - free, bytes, free),
                "free some space (satdl cache gc), or put the store elsewhere with --store");
}

}  // namespace satdl
