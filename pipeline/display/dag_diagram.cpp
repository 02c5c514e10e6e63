#include "pipeline/display/dag_diagram.h"

#include <fmt/format.h>

#include <set>
#include <utility>

namespace satdl {
namespace {

std::string quoted_for_dot(std::string_view text) {
    std::string quoted = "\"";
    for (const char c : printable(text)) {
        if (c == '"' || c == '\\') quoted += '\\';
        quoted += c;
    }
    return quoted + '"';
}

// Mermaid reads `#name;` within quotes as the character of that name.
std::string escaped_for_mermaid(std::string_view text) {
    std::string escaped;
    for (const char c : printable(text)) {
        switch (c) {
            case '"': escaped += "#quot;"; break;
            case '<': escaped += "#lt;"; break;
            case '>': escaped += "#gt;"; break;
            case '&': escaped += "#amp;"; break;
            case '#': escaped += "#35;"; break;
            case '`': escaped += "#96;"; break;
            default: escaped += c;
        }
    }
    return escaped;
}

// "reuse, 12 s": the line below a node's kind, or "".
std::string state_text(const DiagramNode& node) {
    return node.state + (node.state.empty() || node.note.empty() ? "" : ", ") + node.note;
}

std::string colour_of(std::string_view state) {
    if (state == "reuse" || state == "reused") return "#d5e8d4";
    if (state == "run" || state == "ran") return "#dae8fc";
    if (state == "failed" || state == "blocked") return "#f8cecc";
    return "#f5f5f5";
}

}  // namespace

Diagram graph_of(const Dag& dag) {
    Diagram graph;
    std::set<std::pair<NodeId, NodeId>> seen;
    for (NodeId id = 0; id < dag.nodes.size(); ++id) {
        const Node& node = dag.nodes[id];
        graph.nodes.push_back({node.name, node.stage->description.kind, "", ""});
        for (const Input& input : node.inputs)
            if (seen.emplace(input.from, id).second) graph.edges.push_back({input.from, id});
    }
    return graph;
}

std::string to_dot(const Diagram& graph, const std::string& name) {
    std::string text = fmt::format("digraph {} {{\n  rankdir=LR;\n  node [shape=box, style=\"rounded,filled\"];\n",
                                   quoted_for_dot(name));
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
        const DiagramNode& node = graph.nodes[i];
        std::string label = quoted_for_dot(node.name);
        label.pop_back();
        for (const std::string& line : {node.kind, state_text(node)})
            if (!line.empty()) label += "\\n" + quoted_for_dot(line).substr(1, quoted_for_dot(line).size() - 2);
        text += fmt::format("  n{} [label={}\", fillcolor=\"{}\"];\n", i, label, colour_of(node.state));
    }
    for (const Diagram::Edge& edge : graph.edges) text += fmt::format("  n{} -> n{};\n", edge.from, edge.to);
    return text + "}\n";
}

std::string to_mermaid(const Diagram& graph) {
    std::string text = "flowchart LR\n";
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
        const DiagramNode& node = graph.nodes[i];
        std::string label = escaped_for_mermaid(node.name);
        for (const std::string& line : {node.kind, state_text(node)})
            if (!line.empty()) label += "<br/>" + escaped_for_mermaid(line);
        text += fmt::format("    n{}[\"{}\"]\n", i, label);
        if (!node.state.empty())
            text += fmt::format("    style n{} fill:{},color:#000\n", i, colour_of(node.state));
    }
    for (const Diagram::Edge& edge : graph.edges) text += fmt::format("    n{} --> n{}\n", edge.from, edge.to);
    return text;
}

}  // namespace satdl
