#include "pipeline/network/loss_rules.h"

#include <catch2/catch.hpp>

#include "pipeline/network/network_parser.h"
#include "pipeline/network/network_summary.h"
#include "pipeline/yaml/yaml_parser.h"

using namespace satdl;

namespace {

struct Made {
    Network network;
    std::vector<Shape> outputs;
};

// What the layers make of samples of shape `input`.
Made made(const std::string& layers, const Shape& input) {
    Diagnostics diagnostics;
    Made made{parse_network(parse_yaml(std::make_shared<SourceText>(SourceText{"net.yaml", layers})), diagnostics), {}};
    for (const LayerSummary& layer : summarise(made.network, input, diagnostics)) made.outputs.push_back(layer.output);
    diagnostics.throw_if_any();
    return made;
}

std::string told(const std::optional<LossMisfit>& misfit) {
    if (!misfit) return "fits";
    return misfit->hint.empty() ? misfit->text : misfit->text + "; " + misfit->hint;
}

std::string of_network(const std::string& loss, const std::string& layers, const Shape& input) {
    const Made net = made(layers, input);
    return told(network_misfit(loss, net.network, net.outputs));
}

Activation last(const std::string& layers, const Shape& input) {
    const Made net = made(layers, input);
    return last_activation(net.network, net.outputs);
}

}  // namespace

TEST_CASE("the last activation is also a sigmoid or softmax that only layers which move numbers about follow") {
    CHECK(last("[{dense: 4, activation: sigmoid}]", {3}) == Activation::Sigmoid);
    CHECK(last("[{dense: 4, activation: sigmoid}, {unflatten: {channels: 4}}, upsample]", {3}) == Activation::Sigmoid);
    CHECK(last("[{dense: 4, activation: sigmoid}, dropout]", {3}) == Activation::None);
    CHECK(last("[flatten]", {3}) == Activation::None);
    CHECK(last("[relu, flatten]", {3}) == Activation::None);
}

TEST_CASE("a softmax that goes over a part of a sample's numbers is not the last activation behind what moves them") {
    CHECK(last("[softmax, flatten]", {4, 1, 1}) == Activation::Softmax);
    CHECK(last("[softmax, {unflatten: {channels: 4}}]", {4}) == Activation::Softmax);
    CHECK(last("[softmax, {unflatten: {height: 2, width: 2}}]", {4}) == Activation::None);
    CHECK(last("[softmax, flatten]", {2, 2, 1}) == Activation::None);
    CHECK(last("[softmax, flatten]", {2, kUnknown, 1}) == Activation::Softmax);  // only running can tell
}

TEST_CASE("cross-entropy needs an output for each class, and probabilities or logits") {
    const auto cross_entropy = [](const std::string& layers, const Shape& input) { return of_network("cross_entropy", layers, input); };
    CHECK(cross_entropy("[{dense: 3, activation: softmax}]", {5}) == "fits");
    CHECK(cross_entropy("[{dense: 3, activation: sigmoid}]", {5}) == "fits");
    CHECK(cross_entropy("[{dense: 3}]", {5}) == "fits");
    CHECK(cross_entropy("[flatten]", {kUnknown, 5}) == "fits");
    CHECK(
        cross_entropy("[{dense: 3, activation: relu}]", {5}) ==
        "cross_entropy needs probabilities, but the network ends with relu; end the network with softmax or sigmoid (or with neither: then "
        "its output is treated as logits)");
    CHECK(cross_entropy("[{conv: 4}]", {1, 8, 8}) ==
          "cross_entropy needs a network whose output is [N, classes], but that of this one is [N, 4, 8, 8]; end the network with flatten "
          "and "
          "dense");
    CHECK(
        cross_entropy("[{dense: 1, activation: sigmoid}]", {5}) ==
        "cross_entropy needs one output per class, but the network has a single output; use binary_cross_entropy, or end the network with "
        "dense: 2");
    CHECK(of_network("binary_cross_entropy", "[{dense: 1, activation: sigmoid}]", {5}) == "fits");
    CHECK(of_network("binary_cross_entropy", "[{conv: 1, activation: sigmoid}]", {1, 8, 8}) == "fits");
    CHECK_THAT(of_network("binary_cross_entropy", "[{dense: 1, activation: tanh}]", {5}),
               Catch::StartsWith("binary_cross_entropy needs probabilities, but the network ends with tanh"));
    CHECK(of_network("mse", "[{dense: 1, activation: relu}]", {5}) == "fits");
    CHECK(of_network("my_loss", "[{dense: 1, activation: relu}]", {5}) == "fits");  // a stage's own
}

TEST_CASE("cross-entropy is refused where its probabilities come too early: it would apply the softmax again") {
    const auto cross_entropy = [](const std::string& layers, const Shape& input) { return of_network("cross_entropy", layers, input); };
    CHECK(cross_entropy("[{conv: 4, activation: softmax}, global_average_pool]", {1, 8, 8}) ==
          "cross_entropy needs the softmax last: layer conv_1 is followed by global_average_pool_1; put global_average_pool_1 before the "
          "softmax");
    CHECK_THAT(cross_entropy("[softmax, max_pool, flatten]", {2, 4, 4}),
               Catch::Contains("layer softmax_1 is followed by max_pool_1, flatten_1"));
    CHECK_THAT(cross_entropy("[softmax, flatten]", {2, 4, 4}), Catch::Contains("layer softmax_1 is followed by flatten_1"));
    for (const std::string layer : {"batch_norm", "layer_norm", "dropout"}) {
        CHECK_THAT(cross_entropy("[{dense: 3, activation: softmax}, " + layer + "]", {5}),
                   Catch::Contains("layer dense_1 is followed by " + layer + "_1"));
        CHECK_THAT(cross_entropy("[sigmoid, flatten, " + layer + "]", {5}), Catch::Contains("cross_entropy needs the sigmoid last"));
    }
    for (const std::string layer : {"random_flip", "random_crop"})
        CHECK_THAT(cross_entropy("[softmax, " + layer + ", flatten]", {2, 4, 4}),
                   Catch::Contains("followed by " + layer + "_1, flatten_1"));
    CHECK_THAT(of_network("binary_cross_entropy", "[sigmoid, global_average_pool]", {1, 4, 4}),
               Catch::Contains("binary_cross_entropy needs the sigmoid last"));

    CHECK(cross_entropy("[softmax, flatten]", {4, 1, 1}) == "fits");
    CHECK(cross_entropy("[global_average_pool, softmax]", {4, 8, 8}) == "fits");
    CHECK(cross_entropy("[{dense: 8, activation: sigmoid}, dropout, {dense: 3}]", {5}) == "fits");  // a hidden one
    CHECK(cross_entropy("[softmax, {conv: 3}, global_average_pool]", {2, 4, 4}) == "fits");
    CHECK(of_network("mse", "[softmax, global_average_pool]", {2, 4, 4}) == "fits");
}

TEST_CASE("targets are class numbers or of the shape of the output, as the loss has it") {
    const auto of = [](const std::string& loss, const Shape& output, DType dtype, const Shape& target) {
        return told(target_misfit(loss, output, dtype, target));
    };
    const std::string classes = "class numbers [N] of an integer type for cross_entropy";
    CHECK(of("cross_entropy", {4}, DType::UInt8, {40}) == "fits");
    CHECK(of("cross_entropy", {4}, DType::Int64, {kUnknown}) == "fits");
    CHECK(of("cross_entropy", {4}, DType::Float32, {40}) == classes + "; convert them to integers: y.astype('int64')");
    CHECK(of("cross_entropy", {4}, DType::Int64, {40, 1}) == classes + "; drop the last dimension: y.reshape(-1)");
    CHECK(of("cross_entropy", {4}, DType::Float32, {40, 4}) == classes + "; where each row has a 1 at its class: y.argmax(axis=1)");
    CHECK(of("cross_entropy", {4}, DType::Float32, {40, 1, 2}) == classes);

    CHECK(of("mse", {1, 28, 28}, DType::Float32, {40, 1, 28, 28}) == "fits");
    CHECK(of("mse", {1, 28, kUnknown}, DType::Float32, {kUnknown, 1, kUnknown, 28}) == "fits");
    CHECK(of("mse", {4}, DType::Float32, {40, 3}) == "the shape of the network's output, [N, 4]");
    CHECK(of("mse", {4}, DType::Int64, {40}) == "the shape of the network's output, [N, 4]; for class numbers, use the loss cross_entropy");
    CHECK(of("mse", {1}, DType::Float32, {40}) ==
          "the shape of the network's output, [N, 1]; give it a second dimension: y.reshape(-1, 1)");
    CHECK(of("mse", {}, DType::Float32, {}) == "the shape of the network's output, [N]");

    CHECK(of("binary_cross_entropy", {4}, DType::UInt8, {40}) == "fits");
    CHECK(of("binary_cross_entropy", {4}, DType::Float32, {40, 4}) == "fits");
    CHECK(of("binary_cross_entropy", {4}, DType::Float32, {40, 3}) == "the shape of the network's output, [N, 4]");
    CHECK(of("binary_cross_entropy", {1, 8, 8}, DType::UInt8, {40}) ==
          "the shape of the network's output, [N, 1, 8, 8]; class numbers need a network whose output is [N, classes]: end it with flatten "
          "and "
          "dense");
    CHECK(of("my_loss", {4}, DType::Float64, {}) == "fits");
    CHECK_FALSE(are_class_numbers("mse", DType::UInt8, {40}));
}

TEST_CASE("class weights are one for each class, not all of them 0") {
    const auto of = [](const std::vector<double>& weights, std::int64_t classes) { return told(class_weights_misfit(&weights, classes)); };
    CHECK(of({1, 0, 2.5}, 3) == "fits");
    CHECK(of({1, 2}, 4) == "class_weights has 2 weights, but the network has 4 classes; give one weight for each class, from class 0 on");
    CHECK(of({1}, 2) == "class_weights has 1 weight, but the network has 2 classes; give one weight for each class, from class 0 on");
    CHECK(of({0, 0}, 2) == "class_weights are all 0: nothing would be trained; give at least one class a weight above 0");
    CHECK(of({1, 2}, 0) == "class_weights need class numbers [N] as target; remove class_weights");
    CHECK(told(class_weights_misfit(nullptr, 4)) == "fits");
    CHECK(told(class_weights_misfit(nullptr, 0)) == "class_weights need class numbers [N] as target; remove class_weights");
}
