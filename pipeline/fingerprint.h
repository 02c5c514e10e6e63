// Keys: what a node's result depends on, as named parts, and the SHA-256 over their canonical bytes.
//
// key = SHA-256("satdl-key-1\n" ++ for each part, in the recipe's order: "<bytes of name>:<name>=<bytes of value>:<value>\n").
// Inputs count by content (the digest of what the port carries), so an upstream rerun that yields the same bytes stops there.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/dag.h"
#include "pipeline/digest.h"
#include "pipeline/shapes.h"

namespace satdl {

struct KeyPart {
    std::string name;   // "kind", "version", "param epochs", "input images", "file labels", "threads", "precision", "device",
                        // "libtorch", "cpu", "gpu"
    std::string value;  // canonical text, or a digest in hex
    bool operator==(const KeyPart&) const = default;
};
// kind and version first, then the rest by name: one order, whatever the order of the YAML.
using Recipe = std::vector<KeyPart>;

// Where the stages will run.
struct Machine {
    int cores = 1;
    std::string cpu = {};  // vector instructions that LibTorch will use: "DEFAULT", "AVX2", "AVX512", "AVX512_BF16", "AMX_BF16"
    std::uint64_t memory_bytes = 0;  // 0: unknown
    std::string bf16 = {};           // the instructions that compute in bf16: "AVX512-BF16", "AMX-BF16"; empty: there are none
    // By stage library: the GPU that its stages find, or why there is none. Only of libraries that a plan had to ask (devices.h).
    std::map<std::filesystem::path, GpuAnswer> gpus = {};
};
// Cores from the affinity mask, memory from the kernel, both capped by the container's; the CPU from cpuid, capped by
// $ATEN_CPU_CAPABILITY as LibTorch does.
[[nodiscard]] Machine this_machine();

// The digest of what a port carries: over the names, element types, shapes and bytes of its arrays.
[[nodiscard]] Digest port_digest(const Group& group);
[[nodiscard]] Digest port_digest(const std::map<std::string, Digest>& arrays);  // the same, from each Array::digest()
using PortDigests = std::map<std::string, Digest>;  // by output port
[[nodiscard]] PortDigests port_digests(const Outcome& outcome);

// The GPU that a node computes on, or nullptr: it computes on the CPU. `device: auto` takes the one that the stage's library finds.
// Precondition: Machine::gpus holds the answer of that library unless `device` is cpu; for `cuda` it is a GPU (see find_gpus()).
[[nodiscard]] const Gpu* gpu_of(const Node& node, const Machine& machine);

// What `threads: auto` means: 1 on a GPU or below `kParallelCost` multiply-adds a batch (128 samples), else every core (at most 16).
inline constexpr std::int64_t kParallelCost = 50'000'000;
[[nodiscard]] int resolve_threads(const Node& node, std::int64_t network_cost, const Machine& machine);

// What `precision` means here: `auto` is bf16 where the processor, or the GPU that the node computes on, has instructions for it.
// Nothing for a stage without such a parameter.
[[nodiscard]] std::optional<Precision> resolve_precision(const Node& node, const Machine& machine);

// The recipe of a node whose inputs and files have these digests. Preconditions: `inputs` has one digest per Node::inputs, in
// its order; `files` one per Node::files.
[[nodiscard]] Recipe recipe_of(const Dag& dag, const Node& node, int threads, const Machine& machine,
                               const std::vector<Digest>& inputs, const std::vector<Digest>& files);
[[nodiscard]] Digest key_of(const Recipe& recipe);

// The first part in which two recipes differ, in words: "noise_factor was 0.4, is 0.2"; "input images changed"; "libtorch was ...".
// Empty where they are equal.
[[nodiscard]] std::string first_difference(const Recipe& before, const Recipe& now);

}  // namespace satdl
