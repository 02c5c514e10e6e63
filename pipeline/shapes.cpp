#include "pipeline/shapes.h"

#include <algorithm>
#include <unordered_map>

namespace satdl {

std::vector<NodeTypes> infer_types(const Dag& dag, Diagnostics& diagnostics) {
    std::unordered_map<const CatalogEntry*, StageRules> rules;
    std::vector<NodeTypes> types;
    types.reserve(dag.nodes.size());
    for (NodeId node = 0; node < dag.nodes.size(); ++node) {
        const CatalogEntry* stage = dag.nodes[node].stage;
        auto known = rules.find(stage);
        if (known == rules.end()) known = rules.emplace(stage, parse_rules(*stage)).first;
        types.push_back(NodeTyper(dag, types, node, known->second, diagnostics).infer());
    }
    return types;
}

std::int64_t network_cost(const Dag& dag, const std::vector<NodeTypes>& types, NodeId node) {
    for (const auto& [port, type] : types[node]) {
        if (!type.network || !type.net_input) continue;
        Diagnostics told_by_infer_types;
        std::int64_t total = 0;
        for (const LayerSummary& layer : summarise(*type.network, *type.net_input, told_by_infer_types)) {
            if (layer.multiply_adds < 0) return 0;
            total += layer.multiply_adds;
        }
        return total;
    }
    const StageDescription& stage = dag.nodes[node].stage->description;
    const auto applies = [](const PortDescription& port) { return port.shape.starts_with("network("); };
    if (std::ranges::none_of(stage.inputs, applies) && std::ranges::none_of(stage.outputs, applies)) return 0;
    const StageRules rules = parse_rules(*dag.nodes[node].stage);
    Diagnostics told_by_infer_types;
    return NodeTyper(dag, types, node, rules, told_by_infer_types).applied_cost().value_or(0);
}

}  // namespace satdl
