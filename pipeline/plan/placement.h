// Where stages compute, on the CPU or on a GPU, and in which precision: for the plan, and as notices for the user.
//
// Only a stage library knows, through LibTorch, whether there is a GPU that its stages can use. Loading LibTorch takes longer
// than a whole run in which nothing changed: so a library is asked only if a requested stage says `cuda` or
// `auto`, and not even then if it was built without CUDA, which its manifest says.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/catalog/library_loader.h"
#include "pipeline/dag/dag.h"
#include "pipeline/plan/machine.h"
#include "pipeline/plan/selection.h"

namespace satdl {

// What a node computes on: the machine that plans, or the one that its job gets, as far as the DAG describes that (Node::job).
[[nodiscard]] int cores_of(const Node& node, const Machine& machine);
[[nodiscard]] const std::string& cpu_of(const Node& node, const Machine& machine);
[[nodiscard]] const std::string& processor_of(const Node& node, const Machine& machine);

// For Machine::gpus; libraries are asked on behalf of nodes without a job. Throws Error{Usage} with the place of every `device: cuda` that
// finds no GPU, and of one whose job gets a GPU that is not described; Error{Store} where a library cannot be loaded.
[[nodiscard]] std::map<std::filesystem::path, GpuAnswer> find_gpus(const Dag& dag, const Request& request, StageLibraries& libraries);

// The GPU that a node computes on, or nullptr: it computes on the CPU. `device: auto` takes the one that the stage's library finds, or
// its job gets. Precondition, of nodes without a job: Machine::gpus holds the answer of that library unless `device` is cpu; for `cuda` it is
// a GPU (see find_gpus()).
[[nodiscard]] const Gpu* gpu_of(const Node& node, const Machine& machine);

// What `threads: auto` means: 1 where the work is small or a GPU does it, else every core (at most 16). Small are networks below
// `kParallelCost` multiply-adds a batch (128 samples); and for stages whose results do not depend on threads, inputs below
// `kParallelBytes` in all, as far as their sizes are known. Precondition: the DAG has its types.
inline constexpr std::int64_t kParallelCost = 50'000'000;
inline constexpr std::uint64_t kParallelBytes = 4 << 20;
// The same for a stage in fp32 whose network, given as a parameter, has dense layers alone: those are trained without autograd
// (stages/kernels/dense_chain.h), and on two threads the step of a network of 7 million took 0.77 of its time on one. By autograd it took
// 2.2 times as long.
inline constexpr std::int64_t kParallelDenseCost = 5'000'000;
[[nodiscard]] int resolve_threads(const Dag& dag, NodeId id, const Machine& machine);

// What `precision` means here: `auto` is bf16 if the processor, or the GPU that the node computes on, has instructions for it. `tf32` is fp32
// where there are none for it: on every CPU. nullopt for a stage without such a parameter.
[[nodiscard]] std::optional<Precision> resolve_precision(const Node& node, const Machine& machine);

struct Notice {
    LogLevel level = LogLevel::Info;
    std::string text;
};
// What was chosen for a node, and why. None for cpu and fp32 that were requested by name. `number`: of the GPU, if there are several.
[[nodiscard]] std::vector<Notice> placement_notices(const Node& node, const Machine& machine, int number = 0);

}  // namespace satdl
