// The DAG: nodes, ports and edges, checked and immutable. Every node knows the place in the YAML that declared it.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "pipeline/catalog/catalog.h"
#include "pipeline/catalog/execution_policy.h"
#include "pipeline/dag/command.h"
#include "pipeline/dag/job_settings.h"
#include "pipeline/dag/port_type.h"
#include "pipeline/stage.h"

namespace satdl {

using NodeId = std::size_t;  // position in Dag::nodes

// An edge: what `port` of a node reads.
struct Input {
    std::string port;
    NodeId from = 0;
    std::string from_port;
    Place place;
};

struct Node {
    std::string name;                     // "m1", "noisy@train"; in a sweep "m1[noise_factor=0.1]"
    std::string group;                    // of `foreach` or `matrix`: the name before the '@'; else the name itself
    const CatalogEntry* stage = nullptr;  // owned by the catalogue, which outlives the DAG, or by `command`
    std::shared_ptr<const CommandStage> command{};  // of a stage of kind `command`; else null
    Params params;                        // checked, defaults filled in; `threads` may still say `auto`
    std::vector<Input> inputs;            // in the order of the description's ports
    std::vector<SourceFile> files;        // of Dataset and File parameters
    std::string about;                    // `about:` of the stage, for people
    ExecutionPolicy policy;              // not in its key
    std::shared_ptr<const JobSettings> job{};  // not in its key: a job executes it; null: this machine does
    Place place;
};

enum class Numerics { Exact, Portable };  // Portable: LibTorch's version and the CPU stay out of the keys
[[nodiscard]] std::string_view name_of(Numerics numerics);  // "exact"

struct Dag {
    std::string name;
    std::filesystem::path file;
    Numerics numerics = Numerics::Exact;
    std::vector<Node> nodes;  // in topological order; among the ready ones, in the order of the YAML
    // By NodeId: what flows along the edges. Inferred once, by the code that makes the DAG or changes a parameter (type_inference.h); empty
    // until then. They do not depend on names.
    std::vector<NodeTypes> types;
    // Names that stand for several nodes (of `foreach`, `matrix`; in a sweep also of plain stages), ascending.
    std::map<std::string, std::vector<NodeId>> groups;

    [[nodiscard]] const Node* find(std::string_view name) const;
    [[nodiscard]] std::vector<std::vector<NodeId>> consumers() const;  // by node: who reads it, ascending, no duplicates
    [[nodiscard]] std::vector<std::string> names() const;              // of nodes and groups
};

// The files that a command stage runs: its sources, and its program if that is a file of the project. Precondition: it has a command.
[[nodiscard]] std::vector<std::filesystem::path> code_of(const Node& node);

// The nodes that neither are in a cycle nor depend on one, in topological order; among the ready ones, in the order of `dag.nodes`.
// Adds a diagnostic for each cycle, "a -> b -> a", at the place of one of its edges.
[[nodiscard]] std::vector<NodeId> topological_order(const Dag& dag, Diagnostics& diagnostics);

// The DAG of these nodes alone, in this order, edges renumbered, with their types if they are known. Precondition: what one of them
// reads is one of them.
[[nodiscard]] Dag subgraph(Dag dag, const std::vector<NodeId>& order);

}  // namespace satdl
