// Lists of layers as YAML has them. Driven by the table in layer_kinds.h: no kind of layer has code of its own here.
#pragma once

#include <cstddef>

#include "pipeline/network/network.h"

namespace satdl {

// More layers than this are refused: nested repeats could ask for billions.
inline constexpr std::size_t kMaxLayers = 10'000;

// Reads a list of layers; every mistake (unknown layer or option, wrong type, out of range, double name) goes to
// `diagnostics`, with its place.
[[nodiscard]] Network parse_network(const ConfigValue& list, Diagnostics& diagnostics);

}  // namespace satdl
