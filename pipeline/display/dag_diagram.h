// A DAG as a diagram of boxes and arrows, without sizes; and the diagram as text for Graphviz and for Mermaid.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "pipeline/dag/dag.h"

namespace satdl {

struct DiagramNode {
    std::string name;   // "noisy@train"
    std::string kind;   // "add_noise"
    std::string state;  // "" or a word for its colour: reuse, run, unknown, blocked; reused, ran, failed, skipped
    std::string note;   // one more line, such as "12 s"; or ""
};

struct Diagram {
    struct Edge {
        std::size_t from = 0, to = 0;  // positions in `nodes`, from < to
    };
    std::vector<DiagramNode> nodes;  // in topological order
    std::vector<Edge> edges;       // each pair once
};

// The nodes of the DAG, by their position; the caller fills in states and notes.
[[nodiscard]] Diagram graph_of(const Dag& dag);

// Names may contain anything: what is special in the format is escaped.
[[nodiscard]] std::string to_dot(const Diagram& graph, const std::string& name);
[[nodiscard]] std::string to_mermaid(const Diagram& graph);

}  // namespace satdl
