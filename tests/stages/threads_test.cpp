// The same bytes with every number of threads: of trainings, fine-tunings, evaluations and features, with every kind of
// layer, activation, loss and optimiser, at sizes that no number of threads and no vector divides.
#include <set>
#include <utility>

#include "stages/layers.h"
#include "stages/stages.h"
#include "torch_test.h"
#include "trainings.h"

using namespace satdl;
using namespace satdl::stages;

namespace {

constexpr std::int64_t kSamples = 41, kClasses = 5;
const Shape kImage{3, 27, 25};

struct Case {
    std::string net, loss;
    bool classes;
    Given more;
};

// The images are large enough for LibTorch's work to be cut into parts (stages/sample_parts.h).
std::vector<Case> cases() {
    const std::string to_classes = "{dense: 5, activation: softmax}]", to_image = "{conv: 3, activation: sigmoid}]";
    return {
        {"[random_flip, {random_crop: 2}, {conv: 32, activation: relu}, batch_norm, {conv: 48}, layer_norm, leaky_relu, "
         "max_pool, "
         "{conv: 19, kernel: 5, activation: gelu}, {average_pool: 3}, {dropout: 0.2}, flatten, " +
             to_classes,
         "cross_entropy",
         true,
         {{"optimiser", "adam"}, {"clip_norm", "0.1"}, {"class_weights", "balanced"}}},
        {"[{conv: 16, kernel: 1, activation: tanh}, softmax, {conv: 16, kernel: 4, bias: false}, relu, {dropout: 0.3}, "
         "gelu, " +
             to_image,
         "mse",
         false,
         {{"optimiser", "adamw"},
          {"weight_decay", "0.01"},
          {"exclude_from_weight_decay", "bias_and_norm"},
          {"schedule", "cosine"}}},
        {"[{conv: 33, stride: 2, activation: leaky_relu}, tanh, {upsample: 3}, sigmoid, {conv: 9, kernel: 7, padding: "
         "valid, activation: softmax}, "
         "batch_norm, global_average_pool, {dense: 37, activation: gelu}, layer_norm, {dropout: 0.5}, {dense: 5}]",
         "cross_entropy",
         true,
         {{"optimiser", "sgd"}, {"momentum", "0.9"}, {"nesterov", "true"}, {"accumulate", "2"}}},
        {"[flatten, {dense: 203, activation: relu}, batch_norm, {dense: 61, activation: tanh, bias: false}, {dropout: 0.1}, "
         "{dense: 99}, "
         "{leaky_relu: 0}, {dense: 2025, activation: sigmoid}, {unflatten: {channels: 3, height: 27, width: 25}}]",
         "binary_cross_entropy",
         false,
         {{"clip_value", "0.01"}, {"schedule", "step"}, {"initialiser", "torch"}}},
        {"[flatten, {dense: 83, activation: sigmoid}, {dense: 5, activation: sigmoid}]",
         "binary_cross_entropy",
         true,
         {{"keep", "last"}}},
        {"[{conv: 32, kernel: 2, activation: sigmoid}, {conv: 32, activation: relu}, batch_norm, max_pool, flatten, {dense: "
         "5, activation: "
         "sigmoid}]",
         "binary_cross_entropy",
         true,
         {{"convolution", "direct"}, {"class_weights", "[1, 2, 3, 4, 5]"}}},
    };
}

StageInputs inputs_of(const Case& one) {
    const Stream stream(3, Purpose::Noise);
    std::vector<float> images(static_cast<std::size_t>(kSamples * kImage[0] * kImage[1] * kImage[2]));
    for (std::size_t i = 0; i < images.size(); ++i) images[i] = static_cast<float>(stream.uniform(i));
    std::vector<std::uint8_t> classes(kSamples);
    for (std::size_t i = 0; i < classes.size(); ++i) classes[i] = static_cast<std::uint8_t>(i * i % kClasses);
    const NamedArrays x = port(array<float>({kSamples, kImage[0], kImage[1], kImage[2]}, images));
    return {{"x", x}, {"target", one.classes ? port(array<std::uint8_t>({kSamples}, classes)) : x}};
}

using Bytes = std::map<std::string, std::string>;

void add(Bytes& all, const std::string& of, const StageOutput& output) {
    for (auto&& [name, bytes] : bytes_of(output)) all.emplace(of + " " + name, std::move(bytes));
}

// Of a training with validation, and of what can be done with its model.
Bytes everything(const Case& one, const Given& precision, int threads) {
    const StageInputs inputs = inputs_of(one);
    Given given{{"net", one.net},
                {"loss", one.loss},
                {"epochs", "2"},
                {"batch_size", "18"},
                {"learning_rate", "0.01"},
                {"seed", "5"},
                {"validation_fraction", "0.2"}};
    for (const Given& more : {one.more, precision})
        for (const auto& [name, value] : more) given[name] = value;
    Bytes all;
    const StageOutput trained = run(train_stage(), inputs, given, threads);
    add(all, "train", trained);

    const auto with_model = [&](Given params, const std::string& name) {
        if (const auto method = one.more.find("convolution"); method != one.more.end()) params.insert(*method);
        for (const auto& [key, value] : precision) params[key] = value;
        StageInputs of_model = inputs;
        of_model[name] = trained.outputs.at("model");
        return std::pair(of_model, params);
    };
    const auto [of_model, params] = with_model({{"loss", one.loss}, {"batch_size", "23"}}, "model");
    add(all, "evaluate", run(evaluate_stage(), of_model, params, threads));
    const auto [read, layer] = with_model({{"batch_size", "23"}}, "model");
    add(all, "features", run(features_stage(), {{"model", read.at("model")}, {"x", read.at("x")}}, layer, threads));
    if (!one.classes) return all;
    const auto [base, head] = with_model({{"net", "[{dense: 29, activation: gelu}, {dense: 5, activation: softmax}]"},
                                          {"loss", "cross_entropy"},
                                          {"epochs", "1"},
                                          {"batch_size", "18"},
                                          {"freeze", "true"}},
                                         "base");
    add(all, "fine_tune", run(fine_tune_stage(), base, head, threads));
    return all;
}

void check_all_threads(const Case& one, const Given& precision) {
    const Bytes alone = everything(one, precision, 1);
    for (const int threads : {2, 3, 5, 8}) {
        const Bytes together = everything(one, precision, threads);
        REQUIRE(together.size() == alone.size());
        std::vector<std::string> different;
        for (const auto& [name, bytes] : alone)
            if (together.at(name) != bytes) different.push_back(name);
        INFO(one.net << ", " << threads << " threads");
        CHECK(different == std::vector<std::string>{});
    }
}

std::set<std::string> choices_of(const std::string& param) {
    const StageEntry train = train_stage();
    const auto& choices = train.description.param(param)->choices;
    return {choices.begin(), choices.end()};
}

}  // namespace

TEST_CASE("trainings and what is made of their models have the same bytes with every number of threads") {
    check_all_threads(cases()[GENERATE(range(std::size_t{0}, cases().size()))], {});
}

TEST_CASE("... in bfloat16, too") {
    check_all_threads(cases()[GENERATE(as<std::size_t>(), 0, 2, 3)], {{"precision", "bf16"}});
}

TEST_CASE("the trainings of this test have every kind of layer, activation, loss and optimiser") {
    std::set<std::string> kinds, activations, losses, optimisers;
    for (const Case& one : cases()) {
        for (const Layer& layer : network_of(one.net).layers) {
            kinds.emplace(layer.kind());
            activations.emplace(name_of(activation_of(layer.spec).kind));
        }
        losses.insert(one.loss);
        if (const auto optimiser = one.more.find("optimiser"); optimiser != one.more.end())
            optimisers.insert(optimiser->second);
    }
    for (const LayerDescription& description : layer_descriptions()) {
        INFO(description.kind);
        CHECK(kinds.contains(description.kind));
    }
    for (const std::string& activation : find_layer_description("conv")->option("activation")->choices) {
        INFO(activation);
        CHECK(activations.contains(activation));
    }
    CHECK(losses == choices_of("loss"));
    CHECK(optimisers == choices_of("optimiser"));
}
