// Mixed precision: convolutions and dense layers compute in bfloat16; everything that is kept or reported is float32.
#include "torch_test.h"

#include "stages/initialise.h"
#include "stages/model_arrays.h"
#include "stages/stages.h"

using namespace satdl;
using namespace satdl::stages;

namespace {

const std::string kLayers =
    "[{conv: 8, activation: relu}, {batch_norm: {momentum: 0.5}}, max_pool, {conv: 8, kernel: 2, activation: tanh}, "
    "{average_pool: 2}, upsample, random_flip, {random_crop: 1}, {dropout: 0.1}, {conv: 4, activation: gelu}, {layer_norm: {epsilon: 1}}, "
    "{conv: 4, activation: leaky_relu}, flatten, {dense: 10, activation: softmax}, "
    "{dense: 64}, sigmoid]";

at::Tensor some_samples(std::int64_t count) {
    return at::linspace(0, 1, count * 64).view({count, 1, 8, 8}).square();
}

Weights some_weights(const Net& net) {
    Weights weights = net.blank_weights();
    initialise(net, Initialiser::Keras, 3, 0, weights);
    for (std::size_t i = 0; i < weights.size(); ++i) weights[i].set_requires_grad(net.tensors()[i].trainable());
    return weights;
}

StageInputs squares(std::int64_t samples) {
    std::vector<float> images(static_cast<std::size_t>(samples) * 64);
    const Stream stream(1, Purpose::Noise);
    for (std::size_t i = 0; i < images.size(); ++i) images[i] = stream.uniform(i / 16) > 0.5 ? 1.0f : 0.0f;
    const NamedArrays x = port(array<float>({samples, 1, 8, 8}, images));
    return {{"x", x}, {"target", x}, {"val_x", x}, {"val_target", x}};
}

Given autoencoder(const std::string& precision) {
    return {{"net", "[{conv: 8, activation: relu}, {batch_norm: {momentum: 0.5}}, max_pool, {conv: 8}, upsample, "
                    "{conv: 1, activation: sigmoid, name: out}]"},
            {"loss", "mse"}, {"epochs", "10"}, {"batch_size", "16"}, {"learning_rate", "0.01"}, {"precision", precision}};
}

}  // namespace

TEST_CASE("in bf16 every kind of layer passes forward and backward, and outputs and gradients are float32 and near those of fp32") {
    const at::Tensor x = some_samples(6);
    const Net plain(network_of(kLayers), {1, 8, 8});
    const Net mixed(network_of(kLayers), {1, 8, 8}, Precision::Bf16);
    Weights plain_weights = some_weights(plain);
    Weights mixed_weights = some_weights(mixed);
    const Pass pass{.training = true, .seed = 1, .step = 2};
    const at::Tensor expected = plain.logits(plain_weights, x, pass);
    const at::Tensor found = mixed.logits(mixed_weights, x, pass);
    CHECK(found.scalar_type() == at::kFloat);
    CHECK(!found.equal(expected));
    CHECK(found.allclose(expected, 0.05, 0.05));
    std::vector<at::Tensor> wanted, gradients;
    for (std::size_t i = 0; i < plain_weights.size(); ++i) {
        INFO(plain.tensors()[i].name);
        CHECK(mixed_weights[i].scalar_type() == at::kFloat);
        if (!plain.tensors()[i].trainable()) {
            CHECK(mixed_weights[i].allclose(plain_weights[i], 0.05, 0.02));
            continue;
        }
        wanted.push_back(torch::autograd::grad({expected.square().sum()}, {plain_weights[i]}, {}, true)[0].flatten());
        gradients.push_back(torch::autograd::grad({found.square().sum()}, {mixed_weights[i]}, {}, true)[0].flatten());
        CHECK(gradients.back().scalar_type() == at::kFloat);
        CHECK(gradients.back().norm().item<double>() > 0);
    }
    // All together: that of a bias before batch norm is next to nothing, and rounding is most of it.
    const at::Tensor difference = at::cat(gradients) - at::cat(wanted);
    CHECK(difference.norm().item<double>() < 0.1 * at::cat(wanted).norm().item<double>());
}

TEST_CASE("what a convolution or dense layer gives in bf16 are numbers of bf16, as float32") {
    const std::string layers = "[{conv: 3}, flatten, {dense: 5}]";
    const Net net(network_of(layers), {1, 8, 8}, Precision::Bf16);
    Weights weights = some_weights(net);
    const at::NoGradGuard no_grad;
    for (const std::size_t layer : {0, 2}) {
        const at::Tensor features = net.features(weights, some_samples(4), layer);
        CHECK(features.scalar_type() == at::kFloat);
        CHECK(features.equal(features.to(at::kBFloat16).to(at::kFloat)));
        CHECK(features.abs().max().item<float>() > 0);
    }
}

TEST_CASE("an autoencoder in bf16 learns as it does in fp32, and its model is float32") {
    const StageInputs inputs = squares(64);
    const StageOutput plain = run(train_stage(), inputs, autoencoder("fp32"));
    const StageOutput mixed = run(train_stage(), inputs, autoencoder("bf16"));
    CHECK(bytes_of(mixed) != bytes_of(plain));
    CHECK(column(mixed, "val/loss").back() < 0.7 * column(mixed, "val/loss").front());
    CHECK(metric(mixed, "val/loss") == Approx(metric(plain, "val/loss")).epsilon(0.1));
    for (const auto& [name, array] : model_from(mixed.outputs.at("model")).weights) {
        INFO(name);
        CHECK(array.dtype() == DType::Float32);
    }
    CHECK(bytes_of(run(train_stage(), inputs, autoencoder("bf16"))) == bytes_of(mixed));
}

TEST_CASE("a classifier in bf16 tells separate blobs apart") {
    const StageOutput outcome = run(train_stage(), blobs(600),
                                {{"net", "[flatten, {dense: 16, activation: relu}, {batch_norm: {momentum: 0.9}}, "
                                         "{dense: 3, activation: softmax}]"},
                                 {"loss", "cross_entropy"}, {"epochs", "4"}, {"batch_size", "32"}, {"learning_rate", "0.02"},
                                 {"precision", "bf16"}});
    CHECK(metric(outcome, "val/accuracy") > 0.95);
}

TEST_CASE("a model is evaluated, looked into and fine-tuned in either precision") {
    const StageInputs inputs = squares(64);
    Given few_epochs = autoencoder("bf16");  // after more, the loss is 1e-6: less than what bfloat16 rounds away
    few_epochs["epochs"] = "3";
    const StageOutput trained = run(train_stage(), inputs, few_epochs);
    const NamedArrays& x = inputs.at("x");
    const StageInputs to_evaluate{{"model", trained.outputs.at("model")}, {"x", x}, {"target", x}};
    const auto evaluated = [&](const std::string& precision) {
        return run(evaluate_stage(), to_evaluate, {{"loss", "mse"}, {"batch_size", "16"}, {"precision", precision}});
    };
    const StageOutput mixed = evaluated("bf16");
    CHECK(metric(mixed, "loss") == metric(trained, "val/loss"));
    CHECK(metric(evaluated("fp32"), "loss") == Approx(metric(mixed, "loss")).epsilon(0.02));
    CHECK(metric(evaluated("fp32"), "loss") != metric(mixed, "loss"));

    const StageInputs to_features{{"model", trained.outputs.at("model")}, {"x", x}};
    const StageOutput features = run(features_stage(), to_features, {{"batch_size", "16"}, {"precision", "bf16"}});
    CHECK(values_of<float>(features.outputs.at("features").at("")) == values_of<float>(mixed.outputs.at("predictions").at("")));

    StageInputs to_fine_tune = inputs;
    to_fine_tune["base"] = trained.outputs.at("model");
    const auto tuned = [&](const std::string& precision) {
        Given given = autoencoder(precision);
        given["net"] = "[{conv: 1, activation: sigmoid, name: again}]";
        given["until"] = "upsample_1";
        given["freeze"] = "true";
        return run(fine_tune_stage(), to_fine_tune, given);
    };
    CHECK(metric(tuned("bf16"), "val/loss") == Approx(metric(tuned("fp32"), "val/loss")).epsilon(0.1));
}
