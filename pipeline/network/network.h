// A neural network as a list of layers from YAML: names, shapes, parameter counts and cost. No arithmetic happens here,
// and no LibTorch: planning needs shapes and costs in milliseconds; `stages/net` builds the modules from this same list.
//
//   net:
//     - {conv: 32, kernel: 3, activation: relu, name: first}   # the main option may be the value of the kind
//     - batch_norm
//     - {repeat: 2, layers: [{conv: {filters: 64}}, relu, batch_norm]}
//     - {dense: 10, activation: softmax}
//
// A layer without a name gets its kind and its number among the layers of that kind: conv_1, conv_2, batch_norm_1, ... So
// naming one layer does not rename the others. The layers and their options: layer_kinds.h, docs/networks.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/core/array.h"
#include "pipeline/core/config_value.h"
#include "pipeline/network/layer_kinds.h"

namespace satdl {

struct Layer {
    std::string name;
    LayerSpec spec;
    Place place;

    [[nodiscard]] std::string_view kind() const { return description_of(spec).kind; }
    bool operator==(const Layer& other) const { return name == other.name && spec == other.spec; }  // the place does not count
};

struct Network {
    std::vector<Layer> layers;

    [[nodiscard]] const Layer* find(std::string_view name) const;
    [[nodiscard]] std::vector<std::string> layer_names() const;
    bool operator==(const Network&) const = default;
};

// The network in its normal form: every option present, every layer named, `repeat` unrolled. Two networks are equal if and only if
// their to_value(...).canonical() are. parse_network(to_value(n)) == n.
[[nodiscard]] ConfigValue to_value(const Network& network);

// `base` up to and including layer `until` ("" = all of it), then `head`. Names of `head` that the base already has
// are renumbered if they look automatic (dense_1), and reported if the user chose them.
// Precondition: the base has a layer `until`.
[[nodiscard]] Network extend(const Network& base, std::string_view until, const Network& head, Diagnostics& diagnostics);

}  // namespace satdl
