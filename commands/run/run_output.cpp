#include "commands/run/run_output.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "commands/shared/command.h"
#include "commands/shared/warnings.h"
#include "pipeline/display/text_format.h"

namespace satdl {

namespace {

// A stage's message may contain anything.
std::string printable_lines(std::string_view text) {
    std::string lines;
    for (std::size_t from = 0; from <= text.size();) {
        const std::size_t end = std::min(text.find('\n', from), text.size());
        if (from > 0) lines += '\n';
        lines += printable(text.substr(from, end - from));
        from = end + 1;
    }
    return lines;
}

}  // namespace

std::vector<std::pair<std::string, Table>> final_tables(const Dag& dag, const RunResult& result,
                                                        const std::vector<std::string>& targets, Store& store) {
    const auto consumers = dag.consumers();
    std::vector<const NodeResult*> final_ones;
    for (const auto& node : result.nodes) {
        if (!node.key || !succeeded(node.state)) continue;
        const std::string& name = dag.nodes[node.node].name;
        if (consumers[node.node].empty() || std::find(targets.begin(), targets.end(), name) != targets.end()) {
            final_ones.push_back(&node);
        }
    }
    std::vector<std::pair<std::string, Table>> tables;
    if (final_ones.size() > kMaxTables) return tables;
    for (const NodeResult* node : final_ones) {
        const auto header = store.header(*node->key);
        if (!header) continue;
        for (const auto& table : header->tables) tables.emplace_back(dag.nodes[node->node].name, table);
    }
    return tables;
}

void print_failures(const Dag& dag, const RunResult& result) {
    std::fflush(stdout);
    std::string text;  // in one write
    if (!result.observer_error.empty())
        text += fmt::format("satdl: the output or the run's record is incomplete: {}\n", result.observer_error);
    for (const auto& node : result.nodes) {
        const Node& stage = dag.nodes[node.node];
        if (node.state == NodeState::Failed)
            text += fmt::format("satdl: {} failed{}: {}\n", printable(stage_text(stage)),
                                node.attempt > 1 ? fmt::format(", attempt {} of {}", node.attempt, node.attempts) : "",
                                printable_lines(node.error));
        if (!node.not_kept.empty())
            text += fmt::format("satdl: the output of {} was not stored: {}\n", printable(stage.name), node.not_kept);
    }
    if (text.empty()) return;
    text.pop_back();  // the last line feed
    print_on_stderr(text);
}

}  // namespace satdl
