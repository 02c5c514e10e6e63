#include "pipeline/dag/port_type.h"

#include <fmt/format.h>

#include <algorithm>

#include "pipeline/network/network_summary.h"

namespace satdl {
const PortType* NodeTypes::find(const std::string& port) const {
    const auto found = outputs.find(port);
    return found == outputs.end() ? nullptr : &found->second;
}

std::string extents_text(const Shape& shape) {
    std::vector<std::string> extents;
    for (const std::int64_t extent : shape) extents.push_back(extent == kUnknown ? "?" : std::to_string(extent));
    return fmt::format("[{}]", fmt::join(extents, ", "));
}

std::string describe(const PortType& type) {
    if (type.kind == PortKind::Metrics) return "metrics";
    if (type.kind != PortKind::Array) return fmt::format("a {}", name_of(type.kind));
    return fmt::format("{} {}", type.dtype ? name_of(*type.dtype) : "?", type.shape ? extents_text(*type.shape) : "[?]");
}

std::uint64_t expected_bytes(const PortType& type) {
    if (type.kind == PortKind::Model) {
        std::int64_t weights = 0;
        for (const LayerSummary& layer : type.layers)
            weights += std::max<std::int64_t>(0, layer.trainable) + std::max<std::int64_t>(0, layer.non_trainable);
        return static_cast<std::uint64_t>(weights) * size_of(DType::Float32);
    }
    if (!type.shape || !type.dtype || std::ranges::find(*type.shape, kUnknown) != type.shape->end()) return 0;
    return static_cast<std::uint64_t>(element_count(*type.shape)) * size_of(*type.dtype);
}

bool could_equal(const Shape& a, const Shape& b) {
    return std::ranges::equal(a, b, [](std::int64_t x, std::int64_t y) { return x == y || x == kUnknown || y == kUnknown; });
}

}  // namespace satdl
