#include "pipeline/network/loss_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>
#include <variant>

#include "pipeline/network/network_summary.h"

namespace satdl {
namespace {

constexpr std::string_view kCrossEntropy = "cross_entropy", kBinary = "binary_cross_entropy", kMse = "mse";

Activation activation_of(const Layer& layer) {
    if (const auto* conv = std::get_if<Conv>(&layer.spec)) return conv->activation;
    if (const auto* dense = std::get_if<Dense>(&layer.spec)) return dense->activation;
    if (const auto* activate = std::get_if<Activate>(&layer.spec)) return activate->activation;
    return Activation::None;
}

bool gives_probabilities(Activation activation) { return activation == Activation::Softmax || activation == Activation::Sigmoid; }

bool is_integral(DType dtype) { return dtype == DType::UInt8 || dtype == DType::Int32 || dtype == DType::Int64; }

// A softmax or sigmoid that others than pure rearrangements follow: its probabilities would be taken for logits. One before a dense or
// conv is hidden, and no concern of the loss.
std::optional<LossMisfit> hidden_probabilities(std::string_view loss, const Network& network) {
    std::vector<std::string> followers;
    for (const Layer& layer : std::views::reverse(network.layers)) {
        const Activation found = activation_of(layer);
        if (gives_probabilities(found)) {
            return LossMisfit{fmt::format("{} needs the {} last: layer {} is followed by {}", loss, name_of(found), layer.name,
                                          fmt::join(followers, ", ")),
                              fmt::format("put {} before the {}", fmt::join(followers, ", "), name_of(found))};
        }
        if (std::holds_alternative<Dense>(layer.spec) || std::holds_alternative<Conv>(layer.spec)) break;
        followers.insert(followers.begin(), layer.name);
    }
    return std::nullopt;
}

// Of a target that is not class numbers [N]: in NumPy's words.
std::string how_to_get_labels(DType dtype, const Shape& target) {
    if (target.size() == 2 && target[1] == 1 && is_integral(dtype)) return "drop the last dimension: y.reshape(-1)";
    if (target.size() == 2) return "where each row has a 1 at its class: y.argmax(axis=1)";
    return target.size() == 1 ? "convert them to integers: y.astype('int64')" : "";
}

// Of a target [N] that is not of the shape of the outputs [N, ...].
std::string how_to_get_outputs(DType dtype, const Shape& target, const Shape& output) {
    if (target.size() != 1) return "";
    if (output == Shape{1}) return "give it a second dimension: y.reshape(-1, 1)";
    return is_integral(dtype) ? "for class numbers, use the loss cross_entropy" : "";
}

// All numbers lie along the first dimension.
bool is_one_row(const Shape& output) {
    return std::ranges::all_of(output | std::views::drop(1), [](std::int64_t extent) { return extent == 1 || extent == kUnknown; });
}

bool could_be_outputs(const Shape& target, const Shape& output) {
    const auto could_be = [](std::int64_t a, std::int64_t b) { return a == b || a == kUnknown || b == kUnknown; };
    return !target.empty() && std::ranges::equal(target | std::views::drop(1), output, could_be);
}

}  // namespace

std::size_t layer_of_last_activation(const Network& network, const std::vector<Shape>& outputs) {
    SATDL_CHECK(!network.layers.empty(), "a network without layers");
    const auto only_moves = [](const Layer& layer) {
        return std::holds_alternative<Flatten>(layer.spec) || std::holds_alternative<Unflatten>(layer.spec) ||
               std::holds_alternative<Upsample>(layer.spec);
    };
    const std::size_t last = network.layers.size() - 1;
    std::size_t layer = last;
    while (layer > 0 && only_moves(network.layers[layer])) --layer;
    const Activation found = activation_of(network.layers[layer]);
    if (found == Activation::Softmax) return is_one_row(outputs[layer]) && is_one_row(outputs[last]) ? layer : last;
    return found == Activation::Sigmoid ? layer : last;
}

Activation last_activation(const Network& network, const std::vector<Shape>& outputs) {
    return activation_of(network.layers[layer_of_last_activation(network, outputs)]);
}

bool are_class_numbers(std::string_view loss, DType dtype, const Shape& target) {
    return loss != kMse && is_integral(dtype) && target.size() == 1;
}

std::optional<LossMisfit> network_misfit(std::string_view loss, const Network& network, const std::vector<Shape>& outputs) {
    if (loss != kCrossEntropy && loss != kBinary) return std::nullopt;
    const Shape& output = outputs.back();
    if (loss == kCrossEntropy && output.size() != 1)
        return LossMisfit{fmt::format("cross_entropy needs a network whose output is [N, classes], but that of this one is {}",
                                      batch_text(output)),
                          "end the network with flatten and dense"};
    if (loss == kCrossEntropy && output[0] == 1)
        return LossMisfit{"cross_entropy needs one output per class, but the network has a single output",
                          "use binary_cross_entropy, or end the network with dense: 2"};
    const Activation last = last_activation(network, outputs);
    if (gives_probabilities(last)) return std::nullopt;
    if (auto hidden = hidden_probabilities(loss, network)) return hidden;
    if (last == Activation::None) return std::nullopt;
    return LossMisfit{fmt::format("{} needs probabilities, but the network ends with {}", loss, name_of(last)),
                      "end the network with softmax or sigmoid (or with neither: then its output is treated as logits)"};
}

std::optional<LossMisfit> target_misfit(std::string_view loss, const Shape& output, DType dtype, const Shape& target) {
    const bool labels = are_class_numbers(loss, dtype, target);
    if (loss == kCrossEntropy) {
        if (labels) return std::nullopt;
        return LossMisfit{"class numbers [N] of an integer type for cross_entropy", how_to_get_labels(dtype, target)};
    }
    if (loss != kMse && loss != kBinary) return std::nullopt;
    if (labels && output.size() == 1) return std::nullopt;
    if (could_be_outputs(target, output)) return std::nullopt;
    return LossMisfit{fmt::format("the shape of the network's output, {}", batch_text(output)),
                      labels ? "class numbers need a network whose output is [N, classes]: end it with flatten and dense"
                             : how_to_get_outputs(dtype, target, output)};
}

std::optional<LossMisfit> class_weights_misfit(const std::vector<double>* weights, std::int64_t classes) {
    if (classes == 0) return LossMisfit{"class_weights need class numbers [N] as target", "remove class_weights"};
    if (weights == nullptr) return std::nullopt;
    if (static_cast<std::int64_t>(weights->size()) != classes)
        return LossMisfit{fmt::format("class_weights has {} weight{}, but the network has {} classes", weights->size(),
                                      weights->size() == 1 ? "" : "s", classes),
                          "give one weight for each class, from class 0 on"};
    if (std::ranges::all_of(*weights, [](double weight) { return weight == 0; }))
        return LossMisfit{"class_weights are all 0: nothing would be trained", "give at least one class a weight above 0"};
    return std::nullopt;
}

}  // namespace satdl
