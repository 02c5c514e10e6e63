#include "commands/tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "commands/command.h"

namespace satdl {

std::vector<std::pair<std::string, Table>> final_tables(const Dag& dag, const RunResult& result,
                                                        const std::vector<std::string>& targets, Store& store) {
    const auto consumers = dag.consumers();
    std::vector<const NodeResult*> final_ones;
    for (const auto& node : result.nodes) {
        if (!node.key || (node.state != NodeState::Ran && node.state != NodeState::Reused)) continue;
        const std::string& name = dag.nodes[node.node].name;
        if (consumers[node.node].empty() || std::find(targets.begin(), targets.end(), name) != targets.end()) {
            final_ones.push_back(&node);
        }
    }
    std::vector<std::pair<std::string, Table>> tables;
    if (final_ones.size() > kMostTables) return tables;
    for (const NodeResult* node : final_ones) {
        const auto header = store.header(*node->key);
        if (!header) continue;
        for (const auto& table : header->tables) tables.emplace_back(dag.nodes[node->node].name, table);
    }
    return tables;
}

void tell_failures(const Dag& dag, const RunResult& result) {
    std::fflush(stdout);
    if (!result.not_told.empty()) fmt::print(stderr, "satdl: not everything was told: {}\n", without_mark(result.not_told));
    for (const auto& node : result.nodes) {
        const std::string name = printable(dag.nodes[node.node].name);
        if (node.state == NodeState::Failed)
            fmt::print(stderr, "satdl: stage {} failed: {}\n", name, without_mark(node.error));
        if (!node.not_kept.empty())
            fmt::print(stderr, "satdl: the outcome of {} was not kept: {}\n", name, without_mark(node.not_kept));
    }
}

}  // namespace satdl
