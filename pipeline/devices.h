// Where stages compute, on the CPU or on a GPU, and in which precision: what a plan must know of it, and what a user is told.
//
// Whether there is a GPU that its stages can use only a stage library can say, LibTorch under it. Loading LibTorch takes longer
// than a whole run in which nothing changed: so a library is asked only where a stage that the request takes in says `cuda` or
// `auto`, and not even then if it was built without CUDA, which its manifest says.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "pipeline/dag.h"
#include "pipeline/fingerprint.h"
#include "pipeline/selection.h"
#include "pipeline/stage_library.h"

namespace satdl {

// For Machine::gpus. Throws Error{Usage} with the place of every `device: cuda` that finds no GPU, Error{Store} where a library
// cannot be loaded.
[[nodiscard]] std::map<std::filesystem::path, GpuAnswer> find_gpus(const Dag& dag, const Request& request, StageLibraries& libraries);

struct Told {
    LogLevel level = LogLevel::Info;
    std::string words;
};
// What was chosen for a node, and why. Nothing of cpu and fp32 that were asked for by name.
[[nodiscard]] std::vector<Told> told_of(const Node& node, const Machine& machine);

}  // namespace satdl
