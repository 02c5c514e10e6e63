// What a loss asks of a network and of targets. Decided here alone: for the plan, which points at the YAML, and for the stages.
//
//   mse                   targets of the shape of the network's output
//   cross_entropy         class numbers [N]; a network that ends in an output for each class: probabilities or logits
//   binary_cross_entropy  class numbers [N], or targets of the shape of the network's output; probabilities or logits
//
// Any other loss is one of its stage's own, of which nothing is known. Values are not looked at: whether class numbers are below the number
// of classes shows only when the stage runs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/core/array.h"
#include "pipeline/network/network.h"

namespace satdl {

// `outputs`, here and below: by layer, what it gives for a sample; extents may be kUnknown.

// The layer whose activation a loss takes for the network's: the last one, or a sigmoid or softmax that only layers which move
// numbers about follow (flatten, unflatten, upsample); a softmax only if it goes over all numbers of a sample, before and after.
[[nodiscard]] std::size_t layer_of_last_activation(const Network& network, const std::vector<Shape>& outputs);
[[nodiscard]] Activation last_activation(const Network& network, const std::vector<Shape>& outputs);

// Whether the loss takes targets of this type for class numbers: integers [N]. `target`: their shape; extents may be kUnknown.
[[nodiscard]] bool are_class_numbers(std::string_view loss, DType dtype, const Shape& target);

struct LossMisfit {
    std::string text;
    std::string hint;
};

// Why the loss cannot be that of this network.
[[nodiscard]] std::optional<LossMisfit> network_misfit(std::string_view loss, const Network& network, const std::vector<Shape>& outputs);

// If the targets do not fit the network's `output`: the text is what they should be, "class numbers [N] of an integer type for
// cross_entropy".
[[nodiscard]] std::optional<LossMisfit> target_misfit(std::string_view loss, const Shape& output, DType dtype, const Shape& target);

// `weights`: null if they follow from the targets. `classes`: 0 if the targets are not class numbers.
[[nodiscard]] std::optional<LossMisfit> class_weights_misfit(const std::vector<double>* weights, std::int64_t classes);

}  // namespace satdl
