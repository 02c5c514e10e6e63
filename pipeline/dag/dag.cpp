#include "pipeline/dag/dag.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <queue>

namespace satdl {
namespace {

constexpr NodeId kNone = std::numeric_limits<NodeId>::max();

std::string cycle_text(const Dag& dag, const std::vector<NodeId>& cycle) {
    std::string text;
    for (const NodeId node : cycle) text += dag.nodes[node].name + " -> ";
    return text + dag.nodes[cycle.front()].name;
}

// The edge by which `node` reads `from`.
const Input& edge(const Dag& dag, NodeId node, NodeId from) {
    const std::vector<Input>& inputs = dag.nodes[node].inputs;
    const auto found = std::find_if(inputs.begin(), inputs.end(), [&](const Input& input) { return input.from == from; });
    SATDL_CHECK(found != inputs.end(), "a cycle is made of edges");
    return *found;
}

// `cycle`: from reader to read. It is shown in the direction of the data, beginning with its earliest node.
void report_cycle(const Dag& dag, std::vector<NodeId> cycle, Diagnostics& diagnostics) {
    std::reverse(cycle.begin(), cycle.end());
    std::rotate(cycle.begin(), std::min_element(cycle.begin(), cycle.end()), cycle.end());
    const Input& closing = edge(dag, cycle.front(), cycle.back());
    diagnostics.add(closing.place, "these stages depend on each other in a cycle: " + cycle_text(dag, cycle),
                    "one of them must read from another stage");
}

// Every stage that is not done reads another one that is not done, so following these edges ends in a cycle.
void report_cycles(const Dag& dag, const std::vector<bool>& done, Diagnostics& diagnostics) {
    std::vector<NodeId> next(dag.nodes.size(), kNone);
    for (NodeId node = 0; node < dag.nodes.size(); ++node)
        for (const Input& input : dag.nodes[node].inputs)
            if (!done[node] && !done[input.from] && next[node] == kNone) next[node] = input.from;
    std::vector<NodeId> seen_from(dag.nodes.size(), kNone);
    for (NodeId start = 0; start < dag.nodes.size(); ++start) {
        if (done[start]) continue;
        NodeId at = start;
        for (; seen_from[at] == kNone; at = next[at]) seen_from[at] = start;
        if (seen_from[at] != start) continue;  // ends in a cycle that is reported already
        std::vector<NodeId> cycle{at};
        for (NodeId node = next[at]; node != at; node = next[node]) cycle.push_back(node);
        report_cycle(dag, std::move(cycle), diagnostics);
    }
}

}  // namespace

std::string_view name_of(Numerics numerics) { return numerics == Numerics::Exact ? "exact" : "portable"; }

const Node* Dag::find(std::string_view wanted) const {
    const auto found = std::find_if(nodes.begin(), nodes.end(), [&](const Node& node) { return node.name == wanted; });
    return found == nodes.end() ? nullptr : &*found;
}

std::vector<std::vector<NodeId>> Dag::consumers() const {
    std::vector<std::vector<NodeId>> readers(nodes.size());
    for (NodeId node = 0; node < nodes.size(); ++node)
        for (const Input& input : nodes[node].inputs)
            if (readers[input.from].empty() || readers[input.from].back() != node) readers[input.from].push_back(node);
    return readers;
}

std::vector<std::string> Dag::names() const {
    std::vector<std::string> all;
    all.reserve(nodes.size() + groups.size());
    for (const Node& node : nodes) all.push_back(node.name);
    for (const auto& [group, members] : groups) all.push_back(group);
    return all;
}

std::vector<std::filesystem::path> code_of(const Node& node) {
    std::vector<std::filesystem::path> files;
    for (const SourceFile& file : node.files)
        if (file.role == kSourceRole) files.push_back(file.path);
    const std::string program = node.command->shell ? "" : text_of(node.command->run.front());
    const std::filesystem::path path = node.command->project / program;
    std::error_code error;
    if (program.find('/') != std::string::npos && std::filesystem::exists(path, error)) files.push_back(path);
    return files;
}

std::vector<NodeId> topological_order(const Dag& dag, Diagnostics& diagnostics) {
    const auto readers = dag.consumers();
    std::vector<std::size_t> waits_for(dag.nodes.size(), 0);
    for (const auto& some : readers)
        for (const NodeId reader : some) ++waits_for[reader];
    std::priority_queue<NodeId, std::vector<NodeId>, std::greater<>> ready;
    for (NodeId node = 0; node < dag.nodes.size(); ++node)
        if (waits_for[node] == 0) ready.push(node);

    std::vector<NodeId> order;
    std::vector<bool> done(dag.nodes.size(), false);
    order.reserve(dag.nodes.size());
    while (!ready.empty()) {
        const NodeId node = ready.top();
        ready.pop();
        order.push_back(node);
        done[node] = true;
        for (const NodeId reader : readers[node])
            if (--waits_for[reader] == 0) ready.push(reader);
    }
    if (order.size() < dag.nodes.size()) report_cycles(dag, done, diagnostics);
    return order;
}

Dag subgraph(Dag dag, const std::vector<NodeId>& order) {
    SATDL_CHECK(dag.types.empty() || dag.types.size() == dag.nodes.size(), "every node has its types, or none has");
    std::vector<NodeId> renumbered(dag.nodes.size(), kNone);
    for (std::size_t i = 0; i < order.size(); ++i) renumbered[order[i]] = i;
    std::vector<Node> nodes;
    nodes.reserve(order.size());
    for (const NodeId old : order) {
        Node& node = nodes.emplace_back(std::move(dag.nodes[old]));
        for (Input& input : node.inputs) {
            input.from = renumbered[input.from];
            SATDL_CHECK(input.from != kNone, "what a node of a subgraph reads is in it");
        }
    }
    dag.nodes = std::move(nodes);
    if (!dag.types.empty()) {
        std::vector<NodeTypes> types;
        types.reserve(order.size());
        for (const NodeId old : order) types.push_back(std::move(dag.types[old]));
        dag.types = std::move(types);
    }
    for (auto& [name, members] : dag.groups) {
        for (NodeId& member : members) member = renumbered[member];
        std::erase(members, kNone);
        std::sort(members.begin(), members.end());
    }
    return dag;
}

}  // namespace satdl
