// What is known of a node before it runs, as text that tests compare.
#pragma once

#include <fmt/format.h>

#include <string>
#include <vector>

#include "pipeline/dag/port_type.h"

namespace satdl::test {

inline std::string types_text(const NodeTypes& types) {
    std::string text = fmt::format("cost {}", types.network_cost);
    for (const auto& [port, type] : types.outputs) {
        text += fmt::format("; {}: {}, layers", port, describe(type));
        for (const LayerSummary& layer : type.layers) text += fmt::format(" {} {}", layer.name, extents_text(layer.output));
        text += fmt::format(", metrics {}", type.metrics ? fmt::format("{}", fmt::join(*type.metrics, " ")) : "?");
    }
    return text;
}

inline std::vector<std::string> types_text(const std::vector<NodeTypes>& types) {
    std::vector<std::string> texts;
    for (const NodeTypes& one : types) texts.push_back(types_text(one));
    return texts;
}

}  // namespace satdl::test
