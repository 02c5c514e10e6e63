// What flows along an edge: the type of a port, as far as it is known before anything runs.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/network/network.h"
#include "pipeline/stage.h"

namespace satdl {

// -1: an extent that only running can tell.
struct PortType {
    PortKind kind = PortKind::Array;
    std::optional<DType> dtype{};
    std::optional<Shape> shape{};
    std::optional<Network> network{};  // of a Model
    std::optional<Shape> net_input{};  // of a Model: a sample's shape
    // Of Metrics and History: the names of the metrics, if the description says them.
    std::optional<std::vector<std::string>> metrics{};
};

using NodeTypes = std::map<std::string, PortType>;  // by output port

// "[60000, ?, 28]"
[[nodiscard]] std::string extents_text(const Shape& shape);
// "float32 [60000, 1, 28, 28]"; '?' for what is unknown.
[[nodiscard]] std::string describe(const PortType& type);
// Its size in memory and on disk; 0 if only running can tell.
[[nodiscard]] std::uint64_t expected_bytes(const PortType& type);
// Whether one could be the other: unknown extents and unknown shapes fit everything.
[[nodiscard]] bool could_equal(const Shape& a, const Shape& b);

}  // namespace satdl
