#include "pipeline/network/network.h"

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include <fstream>
#include <iterator>

#include "pipeline/network/network_parser.h"
#include "pipeline/network/network_summary.h"
#include "pipeline/yaml/yaml_parser.h"
#include "tests/support/study_networks.h"

using namespace satdl;

namespace {

ConfigValue yaml(const std::string& text) { return parse_yaml(std::make_shared<SourceText>(SourceText{"net.yaml", text})); }

Network network(const std::string& text) {
    Diagnostics diagnostics;
    Network made = parse_network(yaml(text), diagnostics);
    diagnostics.throw_if_any();
    return made;
}

// "line:column message (hint)" of each mistake.
std::vector<std::string> told(const Diagnostics& diagnostics) {
    std::vector<std::string> lines;
    for (const Diagnostic& found : diagnostics.found())
        lines.push_back(fmt::format("{}:{} {} ({})", found.place.line, found.place.column, found.message, found.hint));
    return lines;
}

std::vector<std::string> mistakes(const std::string& text) {
    Diagnostics diagnostics;
    (void)parse_network(yaml(text), diagnostics);
    return told(diagnostics);
}

std::vector<LayerSummary> summary(const std::string& text, const Shape& input) {
    Diagnostics diagnostics;
    auto made = summarise(network(text), input, diagnostics);
    diagnostics.throw_if_any();
    return made;
}

std::vector<std::string> misfits(const std::string& text, const Shape& input) {
    Diagnostics diagnostics;
    (void)summarise(network(text), input, diagnostics);
    return told(diagnostics);
}

using Lines = std::vector<std::string>;

// How docs/networks.md documents an option.
std::string reference_row(const LayerDescription& layer, const LayerOption& option) {
    const std::string fallback = option.required           ? "required"
                                 : !option.same_as.empty() ? option.same_as
                                                           : option.get(layer.defaults).text();
    return fmt::format("| `{}` | {} | {} | {} |", option.name, wanted(option), fallback, option.help);
}

}  // namespace

TEST_CASE("a layer is a word, its kind with the main option, or its kind with a map of options") {
    const Network made =
        network("[relu, {conv: 32, stride: 2}, {conv: {filters: 32, stride: 2}}, {dropout: 0.25}, {flatten: }]");
    REQUIRE(made.layers.size() == 5);
    CHECK(std::get<Activate>(made.layers[0].spec).activation == Activation::Relu);
    CHECK(std::get<Conv>(made.layers[1].spec) == Conv{.filters = 32, .stride = 2});
    CHECK(made.layers[1].spec == made.layers[2].spec);
    CHECK(std::get<Dropout>(made.layers[3].spec).rate == 0.25);
    CHECK(made.layers[4].kind() == "flatten");
}

TEST_CASE("every kind of layer reads its own normal form back") {
    for (const LayerDescription& description : layer_descriptions()) {
        const LayerOption* option = description.option(description.main);
        const std::string main = option == nullptr           ? ""
                                 : !option->choices.empty()  ? option->choices[0]
                                 : option->name == "rate"    ? "0.25"
                                                             : "1";
        const Network made = network(fmt::format("- {{{}: {}}}", description.kind, main));
        Diagnostics diagnostics;
        const Network again = parse_network(to_value(made), diagnostics);
        INFO(description.kind);
        CHECK(diagnostics.empty());
        CHECK(again == made);
        CHECK(made.layers.at(0).kind() == description.kind);
        CHECK(to_value(again).canonical() == to_value(made).canonical());
    }
}

TEST_CASE("two spellings of one network have one canonical text, and a changed option another") {
    const auto canonical = [](const std::string& text) { return to_value(network(text)).canonical(); };
    const std::string plain = canonical("[{conv: 8}, relu, {conv: 8}, relu]");
    CHECK(plain == canonical("[{repeat: 2, layers: [{conv: {filters: 8, kernel: 3, bias: true}}, {relu: {}}]}]"));
    CHECK(plain == canonical("[{conv: 8, name: conv_1}, relu, {conv: 8}, {relu: , name: relu_2}]"));
    CHECK(plain != canonical("[{conv: 8}, relu, {conv: 8, bias: false}, relu]"));
    CHECK(canonical("[{batch_norm: , epsilon: 0.001}]") == canonical("[{batch_norm: {epsilon: 1e-3}}]"));
}

TEST_CASE("layers without a name get their kind and their number among the layers of that kind") {
    CHECK(network("[{conv: 1, name: first}, relu, {repeat: 2, layers: [{conv: 2}, relu]}]").layer_names() ==
          Lines{"first", "relu_1", "conv_2", "relu_2", "conv_3", "relu_3"});
}

TEST_CASE("the stride of a pool is its size unless it is given") {
    CHECK(std::get<Pool>(network("[{max_pool: 3}]").layers[0].spec) == Pool{PoolKind::Max, 3, 3});
    CHECK(std::get<Pool>(network("[{average_pool: 3, stride: 1}]").layers[0].spec) == Pool{PoolKind::Average, 3, 1});
    CHECK(std::get<Pool>(network("[max_pool]").layers[0].spec) == Pool{PoolKind::Max, 2, 2});
}

TEST_CASE("unknown layers and options are errors with their place and the nearest known name") {
    CHECK(mistakes("- {cnv: 32}") == Lines{"1:4 unknown layer 'cnv' (did you mean 'conv'?)"});
    CHECK(mistakes("- {kernel: 3, cnv: 32}") == Lines{"1:15 unknown layer 'cnv' (did you mean 'conv'?)"});
    CHECK(mistakes("- flaten") == Lines{"1:3 unknown layer 'flaten' (did you mean 'flatten'?)"});
    CHECK(mistakes("- {conv: 32, kernle: 5}") == Lines{"1:14 conv has no option 'kernle' (did you mean 'kernel'?)"});
    CHECK(mistakes("- {conv: 8, padding: sane}") ==
          Lines{"1:22 padding of conv must be one of same, valid, not the text 'sane' (did you mean 'same'?)"});
    CHECK(mistakes("- {repeat: 2, layer: [relu]}").size() == 2);
}

TEST_CASE("options out of range, of the wrong type, missing or given twice are all reported together") {
    const Lines lines = mistakes(R"(
- {conv: 0}
- {conv: 1.5}
- {dense: "10"}
- conv
- {conv: 8, filters: 9}
- {dropout: 1.5}
- {relu: 3}
- {conv: 3, dense: 4}
- {name: x}
- [relu]
)");
    REQUIRE(lines.size() == 10);
    CHECK(lines[0] == "2:10 filters of conv must be an integer from 1 to 65536, not the number 0 ()");
    CHECK(lines[3] == "5:3 conv needs filters: an integer from 1 to 65536 (write `{conv: 32}`)");
    CHECK(lines[4] == "6:13 filters is given twice ()");
    CHECK(lines[5].starts_with("7:13 rate of dropout must be a number from 0 to 0.99"));
    CHECK(lines[6] == "8:10 relu has no main option, so it cannot be the number 3 (write `relu`)");
    CHECK(lines[7].starts_with("9:13 one layer cannot be both conv and dense"));
}

TEST_CASE("names of layers are identifiers, and stand once") {
    CHECK(mistakes("- {relu: , name: a.b}").size() == 1);
    CHECK(mistakes("- {relu: , name: 2x}").size() == 1);
    CHECK(mistakes("- {relu: , name: ../x}").size() == 1);
    CHECK(mistakes("[{relu: , name: a}, {tanh: , name: a}]") ==
          Lines{"1:22 two layers are named 'a' (the other is at net.yaml:1:3)"});
    CHECK(mistakes("[{repeat: 2, layers: [{relu: , name: a}]}]").size() >= 1);
}

TEST_CASE("repeats are bounded, also nested ones") {
    CHECK(mistakes("- {repeat: 0, layers: [relu]}").size() == 1);
    CHECK(mistakes("- {repeat: 1001, layers: [relu]}").size() == 1);
    CHECK(mistakes("- {repeat: 1000, layers: [{repeat: 1000, layers: [relu]}]}").size() == 1);
    CHECK(network("- {repeat: 2, layers: [{repeat: 3, layers: [relu]}, tanh]}").layers.size() == 8);
    CHECK(mistakes("[]") == Lines{"1:1 a network must have at least one layer ()"});
    CHECK(mistakes("conv").size() == 1);
}

TEST_CASE("shapes follow Keras: same keeps ceil(size / stride), valid and pools take whole windows") {
    const auto output = [](const std::string& layer, const Shape& input) {
        return summary("[" + layer + "]", input).back().output;
    };
    CHECK(output("{conv: 4, stride: 2}", {1, 7, 8}) == Shape{4, 4, 4});
    CHECK(output("{conv: 4, kernel: 5, padding: valid, stride: 2}", {1, 28, 10}) == Shape{4, 12, 3});
    CHECK(output("max_pool", {3, 7, 8}) == Shape{3, 3, 4});
    CHECK(output("{average_pool: 3, stride: 2}", {3, 7, 8}) == Shape{3, 3, 3});
    CHECK(output("{upsample: 3}", {2, 7, 5}) == Shape{2, 21, 15});
    CHECK(output("flatten", {2, 7, 5}) == Shape{70});
    CHECK(output("{unflatten: {channels: 2, height: 7, width: 5}}", {70}) == Shape{2, 7, 5});
    CHECK(output("{unflatten: {height: 7, width: 5}}", {-1}) == Shape{1, 7, 5});
    CHECK(output("{dense: 10}", {70}) == Shape{10});
    CHECK(output("softmax", {2, 7, 5}) == Shape{2, 7, 5});
    CHECK(output("gelu", {70}) == Shape{70});
    CHECK(output("layer_norm", {2, 7, 5}) == Shape{2, 7, 5});
    CHECK(output("global_average_pool", {2, 7, 5}) == Shape{2});
    CHECK(output("global_average_pool", {2, -1, -1}) == Shape{2});
    CHECK(output("{random_flip: horizontal}", {2, 7, 5}) == Shape{2, 7, 5});
    CHECK(output("{random_crop: 9}", {2, 7, 5}) == Shape{2, 7, 5});
}

TEST_CASE("parameters and multiply-adds are counted as by hand") {
    const auto layers =
        summary("[{conv: 4, kernel: 5}, batch_norm, max_pool, flatten, {dense: 10, bias: false}, layer_norm]", {3, 28, 28});
    CHECK(layers[0].trainable == 4 * 3 * 5 * 5 + 4);
    CHECK(layers[0].multiply_adds == 4 * 3 * 5 * 5 * 28 * 28);
    CHECK(layers[1].trainable == 8);
    CHECK(layers[1].non_trainable == 8);
    CHECK(layers[4].trainable == 4 * 14 * 14 * 10);
    CHECK(layers[4].multiply_adds == 4 * 14 * 14 * 10);
    CHECK(layers[5].trainable == 20);
    CHECK(layers[5].non_trainable == 0);
    CHECK(summary("[global_average_pool]", {4, 14, 14})[0].multiply_adds == 4 * 14 * 14);
}

TEST_CASE("the study's autoencoder has Keras' 33 layers and parameters, and ends in its input's shape") {
    const auto layers = summary(test::kM1, {1, 28, 28});
    CHECK(layers.size() == 33);
    CHECK(layers.back().output == Shape{1, 28, 28});
    std::int64_t trainable = 0;
    std::int64_t non_trainable = 0;
    for (const LayerSummary& layer : layers) {
        trainable += layer.trainable;
        non_trainable += layer.non_trainable;
    }
    // By block: two convolutions (9 * in * out + out) and two batch norms (2 * out trainable, 2 * out moving).
    const std::int64_t convolutions = (9 * 1 * 32 + 32) + (9 * 32 * 32 + 32) + (9 * 32 * 64 + 64) + (9 * 64 * 64 + 64) +
                                      (9 * 64 * 128 + 128) + (9 * 128 * 128 + 128) + (9 * 128 * 256 + 256) +
                                      (9 * 256 * 256 + 256) + (9 * 256 * 128 + 128) + (9 * 128 * 128 + 128) +
                                      (9 * 128 * 64 + 64) + (9 * 64 * 64 + 64) + (9 * 64 * 32 + 32) + (9 * 32 * 32 + 32) +
                                      (9 * 32 * 1 + 1);
    const std::int64_t norms = 2 * 2 * (32 + 64 + 128 + 256 + 128 + 64 + 32);
    CHECK(convolutions == 1753025);
    CHECK(trainable == convolutions + norms);
    CHECK(non_trainable == norms);
}

TEST_CASE("a layer that does not fit is an error at its place, with its input and the layer that it comes from") {
    CHECK(misfits("[{conv: 4}, {dense: 10}]", {1, 28, 28}) ==
          Lines{"1:14 layer dense_1 needs [N, features], but gets [N, 4, 28, 28] from conv_1 (add `flatten` before it)"});
    CHECK(misfits("[{conv: 4}]", {784}) ==
          Lines{"1:3 layer conv_1 needs [N, channels, height, width], but gets [N, 784] ()"});
    CHECK(misfits("[flatten, {dense: 4}]", {}) ==
          Lines{"1:2 layer flatten_1 needs [N, features], but gets [N] (NumPy's x.reshape(-1, 1) gives each sample one feature)"});
    CHECK(misfits("[dropout, {dense: 4}]", {}).size() == 1);
    CHECK(misfits("[flatten, {dense: 4}]", {0, 8}) ==
          Lines{"1:2 layer flatten_1 needs samples with at least one element, but gets [N, 0, 8] ()"});
    CHECK(misfits("[max_pool, max_pool]", {1, 3, 3}).size() == 1);
    CHECK(misfits("[{conv: 1, kernel: 5, padding: valid}]", {1, 4, 28}).size() == 1);
    CHECK(misfits("[{repeat: 100, layers: [{upsample: 64}]}]", {1, 28, 28}).size() == 1);
}

TEST_CASE("unknown extents stay unknown and never clash") {
    const auto layers = summary("[{conv: 4, stride: 2}, max_pool, {upsample: 2}, flatten, {dense: 10}, relu]", {1, -1, 28});
    CHECK(layers[0].output == Shape{4, -1, 14});
    CHECK(layers[0].trainable == 40);
    CHECK(layers[0].multiply_adds == -1);
    CHECK(layers[3].output == Shape{-1});
    CHECK(layers[4].output == Shape{10});
    CHECK(layers[4].trainable == -1);
}

TEST_CASE("a head follows the base's layers and continues their numbering") {
    Diagnostics diagnostics;
    const Network base = network("[{conv: 4}, flatten, {dense: 8}, {dense: 8}]");
    const Network head = network("[relu, {dense: 9}, {dense: 10, name: last}, {dense: 11}]");
    CHECK(extend(base, "", head, diagnostics).layer_names() ==
          Lines{"conv_1", "flatten_1", "dense_1", "dense_2", "relu_1", "dense_3", "last", "dense_5"});
    CHECK(extend(base, "flatten_1", head, diagnostics).layer_names() ==
          Lines{"conv_1", "flatten_1", "relu_1", "dense_1", "last", "dense_3"});
    CHECK(diagnostics.empty());
    (void)extend(network("[{relu: , name: last}]"), "", head, diagnostics);
    CHECK(told(diagnostics) == Lines{"1:21 the base already has a layer 'last' (choose another name)"});
}

TEST_CASE("docs/networks.md has every layer and option of the table") {
    std::ifstream stream(SATDL_SOURCE_DIR "/docs/networks.md");
    const std::string text(std::istreambuf_iterator<char>(stream), {});
    for (const LayerDescription& layer : layer_descriptions()) {
        INFO(layer.kind);
        CHECK(text.find(fmt::format("\n### {}\n\n{}: {}.", layer.kind, layer.help, layer.shapes)) != std::string::npos);
        for (const LayerOption& option : layer.options) {
            INFO(reference_row(layer, option));
            CHECK(text.find(reference_row(layer, option)) != std::string::npos);
        }
    }
}
