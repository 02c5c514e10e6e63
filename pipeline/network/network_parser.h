// Reads lists of layers from YAML. Driven by the table in layer_kinds.h: no kind of layer has code of its own here.
#pragma once

#include <cstddef>

#include "pipeline/network/network.h"

namespace satdl {

// More layers are refused: nested repeats could request billions.
inline constexpr std::size_t kMaxLayers = 10'000;

// Reads a list of layers; every mistake (unknown layer or option, wrong type, out of range, duplicate name) is added to
// `diagnostics` with its place.
[[nodiscard]] Network parse_network(const ConfigValue& list, Diagnostics& diagnostics);

}  // namespace satdl
