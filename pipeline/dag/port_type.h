// What flows along an edge: the type of a port, as far as it is known before anything runs.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/network/network_summary.h"
#include "pipeline/stage.h"

namespace satdl {

// kUnknown: an extent that is known only when the stage runs.
struct PortType {
    PortKind kind = PortKind::Array;
    std::optional<DType> dtype{};
    std::optional<Shape> shape{};
    // Of a Model: its network, the shape of a sample that it reads, and what its layers make of that. The last two together or not at all.
    std::shared_ptr<const Network> network{};
    std::optional<Shape> net_input{};
    std::vector<LayerSummary> layers{};
    // Of Metrics and History: the names of the metrics, where the description gives them.
    std::optional<std::vector<std::string>> metrics{};
};

// What leaves a node, and what it costs.
struct NodeTypes {
    std::map<std::string, PortType> outputs;  // by port
    // Forward multiply-adds of one sample through the network that the node trains or applies; 0: none, or unknown before it runs.
    std::int64_t network_cost = 0;
    // Memory that this network needs, beyond inputs and outputs (network_memory.h); 0: none.
    std::uint64_t network_bytes = 0;

    [[nodiscard]] const PortType* find(const std::string& port) const;  // nullptr if the node has no such output
};

// "[60000, ?, 28]"
[[nodiscard]] std::string extents_text(const Shape& shape);
// "float32 [60000, 1, 28, 28]"; '?' for what is unknown.
[[nodiscard]] std::string describe(const PortType& type);
// Its size in memory and on disk; 0 if unknown before it runs.
[[nodiscard]] std::uint64_t expected_bytes(const PortType& type);
// Whether one could be the other: unknown extents and unknown shapes fit everything.
[[nodiscard]] bool could_equal(const Shape& a, const Shape& b);

}  // namespace satdl
