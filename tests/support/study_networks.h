// M1 and M2 as dags/full.yaml defines them, and a wide autoencoder of dense layers.
#pragma once

#include <memory>

#include "pipeline/network/network_parser.h"
#include "pipeline/yaml/yaml_parser.h"

namespace satdl::test {

inline constexpr const char* kM1 = R"(
- {repeat: 2, layers: [{conv: 32, activation: relu}, batch_norm]}
- max_pool
- {repeat: 2, layers: [{conv: 64, activation: relu}, batch_norm]}
- max_pool
- {repeat: 2, layers: [{conv: 128, activation: relu}, batch_norm]}
- {repeat: 2, layers: [{conv: 256, activation: relu}, batch_norm]}
- {repeat: 2, layers: [{conv: 128, activation: relu}, batch_norm]}
- {repeat: 2, layers: [{conv: 64, activation: relu}, batch_norm]}
- upsample
- {repeat: 2, layers: [{conv: 32, activation: relu}, batch_norm]}
- upsample
- {conv: 1, activation: sigmoid}
)";
inline constexpr const char* kDenseAutoencoder = R"(
- flatten
- {repeat: 3, layers: [{dense: 1024, activation: relu}]}
- {dense: 784, activation: sigmoid}
- {unflatten: {channels: 1, height: 28, width: 28}}
)";
inline constexpr const char* kM2 = "[flatten, {dense: 64, activation: relu}, {dense: 64, activation: relu}, {dense: 10, activation: softmax}]";

inline Network network_from(const char* text) {
    Diagnostics diagnostics;
    Network network = parse_network(parse_yaml(std::make_shared<const SourceText>(SourceText{"study", text})), diagnostics);
    diagnostics.throw_if_any();
    return network;
}

}  // namespace satdl::test
