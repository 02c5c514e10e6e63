// Against Keras, which computed tests/reference/keras.json on JAX, in float64: make_keras_reference.py beside that file has the
// script, tests/README.md how to run it. Here everything is computed in float32.
#include "torch_test.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "stages/initialise.h"
#include "stages/loss.h"
#include "stages/optimiser.h"

using namespace satdl;
using namespace satdl::stages;

namespace {

using Json = nlohmann::json;

const Json& reference() {
    static const Json json = Json::parse(std::ifstream(SATDL_SOURCE_DIR "/tests/reference/keras.json"));
    return json;
}

at::Tensor tensor(const Json& written, at::ScalarType type = at::kFloat) {
    return at::tensor(written.at("values").get<std::vector<double>>(), at::kDouble)
        .view(written.at("shape").get<Shape>())
        .to(type);
}

at::Tensor labels(const Json& written) { return at::tensor(written.get<std::vector<std::int64_t>>(), at::kLong); }

void check_near(const at::Tensor& found, const Json& written, double relative, double absolute) {
    const at::Tensor wanted = tensor(written, at::kDouble);
    REQUIRE(found.sizes() == wanted.sizes());
    const at::Tensor difference = (found.detach().to(at::kDouble) - wanted).abs();
    INFO("differs by up to " << difference.max().item<double>());
    CHECK((difference <= absolute + relative * wanted.abs()).all().item<bool>());
}

double loss_of(LossKind kind, Activation last, const at::Tensor& target) {
    const at::Tensor logits = tensor(reference().at("losses").at("logits"));
    const Objective objective(kind, {last}, {logits.size(1)}, target);
    return objective.loss(logits, objective.prepare(target)).item<double>();
}

}  // namespace

TEST_CASE("Adam, AdamW and SGD take Keras' steps, also where gradients are as small as epsilon") {
    for (const Json& one : reference().at("optimisers")) {
        INFO(one.at("kind") << " " << one.value("weight_decay", -1.0) << " " << one.value("momentum", 0.0));
        OptimiserOptions options{.kind = optimiser_from_name(one.at("kind")),
                                 .learning_rate = one.at("learning_rate"),
                                 .momentum = one.value("momentum", 0.0),
                                 .nesterov = one.value("nesterov", false)};
        if (one.contains("weight_decay")) options.weight_decay = one.at("weight_decay").get<double>();
        Weights trained{tensor(one.at("start"))};
        Moments moments = start_moments(options.kind, trained);
        std::int64_t count = 0;
        for (const Json& step : one.at("steps")) {
            update(options, ++count, options.learning_rate, {tensor(step.at("gradient"))}, moments, trained);
            check_near(trained[0], step.at("weights"), 1e-6, 5e-7);  // each step is one of 0.01
        }
    }
}

TEST_CASE("Adam takes Keras' steps with betas whose distance to one is nothing or little in float32") {
    for (const Json& one : reference().at("betas_near_one")) {
        const OptimiserOptions options{.learning_rate = one.at("learning_rate"), .beta1 = one.at("beta1"), .beta2 = one.at("beta2")};
        INFO(options.beta1 << " " << options.beta2);
        Weights trained{tensor(one.at("start"))};
        Moments moments = start_moments(options.kind, trained);
        std::int64_t count = 0;
        for (const Json& step : one.at("steps")) {
            update(options, ++count, options.learning_rate, {tensor(step.at("gradient"))}, moments, trained);
            check_near(trained[0], step.at("weights"), 1e-6, 2e-6);  // after up to twenty steps of 0.01
        }
    }
}

TEST_CASE("weight decay leaves out what it is told to, as Keras' does") {
    const Json& wanted = reference().at("excluded_from_weight_decay");
    Weights trained;
    for (const Json& start : wanted.at("starts")) trained.push_back(tensor(start));
    const OptimiserOptions options{.kind = OptimiserKind::AdamW, .learning_rate = wanted.at("learning_rate"),
                                   .weight_decay = wanted.at("weight_decay").get<double>(), .without_decay = {false, true, true, true}};
    Moments moments = start_moments(options.kind, trained);
    std::int64_t count = 0;
    for (const Json& step : wanted.at("steps")) {
        Weights gradients;
        for (const Json& gradient : step.at("gradients")) gradients.push_back(tensor(gradient));
        update(options, ++count, options.learning_rate, gradients, moments, trained);
        for (std::size_t i = 0; i < trained.size(); ++i) check_near(trained[i], step.at("weights")[i], 1e-6, 5e-7);
    }
}

TEST_CASE("leaky_relu has Keras' two slopes: of the activation and of the layer") {
    const Json& wanted = reference().at("leaky_relu");
    const at::Tensor x = tensor(wanted.at("x")).unsqueeze(0);
    check_near(activate(activation_of(Dense{.activation = Activation::LeakyRelu}), x, false)[0], wanted.at("activation"), 1e-6, 0);
    check_near(activate(activation_of(Conv{.activation = Activation::LeakyRelu}), x, false)[0], wanted.at("activation"), 1e-6, 0);
    const Net net(network_of("[leaky_relu]"), {8});
    Weights none;
    check_near(net.features(none, x, 0)[0], wanted.at("layer"), 1e-6, 0);
}

TEST_CASE("Adam's first step is as long as its rate, also where beta is so near 1 that 1 - beta is not a float's") {
    const double beta = GENERATE(0.9, 0.999, 0.9999, 0.9999999);
    INFO(beta);
    Weights trained{at::zeros({2})};
    const OptimiserOptions options{.learning_rate = 0.01, .beta1 = beta, .beta2 = beta, .epsilon = 1e-12};
    Moments moments = start_moments(options.kind, trained);
    update(options, 1, options.learning_rate, {at::tensor({3.0f, -0.5f})}, moments, trained);
    CHECK(trained[0][0].item<double>() == Approx(-0.01).epsilon(1e-6));
    CHECK(trained[0][1].item<double>() == Approx(0.01).epsilon(1e-6));
}

TEST_CASE("batch norm is Keras', in training over three batches and afterwards") {
    const Json& norm = reference().at("batch_norm");
    const Net net(network_of("[batch_norm]"), {2, 2, 3});
    Weights weights = net.blank_weights();
    initialise(net, Initialiser::Keras, 1, 0, weights);
    weights[0].copy_(tensor(norm.at("scale")));
    weights[1].copy_(tensor(norm.at("offset")));
    for (const Json& batch : norm.at("batches")) {
        check_near(net.logits(weights, tensor(batch.at("x")), {.training = true}), batch.at("y"), 1e-5, 1e-6);
        check_near(weights[2], batch.at("mean"), 1e-6, 1e-7);
        check_near(weights[3], batch.at("variance"), 1e-6, 1e-7);
    }
    const Json& after = norm.at("inference");
    check_near(net.logits(weights, tensor(after.at("x")), {}), after.at("y"), 1e-5, 1e-6);
}

TEST_CASE("a network of conv, batch norm and dense gives Keras' output, loss and gradients, and learns as it does") {
    const Json& wanted = reference().at("network");
    const at::Tensor x = tensor(wanted.at("x")), target = labels(wanted.at("labels"));
    const Net net(network_of(wanted.at("layers")), x.sizes().slice(1).vec());
    const std::vector<TensorSpec>& tensors = net.tensors();
    Weights weights = net.blank_weights(), variables, trained;
    std::vector<std::string> names;  // of those that are trained
    REQUIRE(weights.size() == wanted.at("start").size());
    for (std::size_t i = 0; i < weights.size(); ++i) {
        weights[i].copy_(tensor(wanted.at("start").at(tensors[i].name)));
        if (!tensors[i].trainable()) continue;
        variables.push_back(weights[i].requires_grad_());
        trained.push_back(weights[i].detach());  // the same memory
        names.push_back(tensors[i].name);
    }
    {
        const at::NoGradGuard no_grad;
        check_near(net.features(weights, x, net.network().layers.size() - 1), wanted.at("inference"), 1e-5, 1e-6);
    }
    const OptimiserOptions adam{.learning_rate = wanted.at("learning_rate")};
    Moments moments = start_moments(adam.kind, trained);
    const Objective objective(LossKind::CrossEntropy, net.last_activation(), net.output(), target);
    std::int64_t count = 0;
    for (const Json& step : wanted.at("steps")) {
        const at::Tensor logits = net.logits(weights, x, {.training = true});
        const at::Tensor loss = objective.loss(logits, objective.prepare(target));
        CHECK(loss.item<double>() == Approx(step.at("loss").get<double>()).epsilon(1e-5));
        check_near(objective.output(logits), step.at("output"), 1e-4, 1e-6);
        const Weights gradients = torch::autograd::grad({loss}, variables);
        ++count;
        for (std::size_t i = 0; i < gradients.size(); ++i) {
            INFO("the gradient of " << names[i] << " in step " << count);
            check_near(gradients[i], step.at("gradients").at(names[i]), 1e-4, 5e-6);
        }
        update(adam, count, adam.learning_rate, gradients, moments, trained);
        for (std::size_t i = 0; i < weights.size(); ++i) {
            INFO(tensors[i].name << " after step " << count);
            check_near(weights[i], step.at("after").at(tensors[i].name), 1e-4, 1e-6);
        }
    }
}

TEST_CASE("losses are Keras'") {
    const Json& wanted = reference().at("losses");
    const at::Tensor classes = labels(wanted.at("labels"));
    const at::Tensor numbers = tensor(wanted.at("numbers")), probabilities = tensor(wanted.at("probabilities"));
    const auto is = [&](const char* name) { return Approx(wanted.at(name).get<double>()).epsilon(1e-6); };
    CHECK(loss_of(LossKind::Mse, Activation::None, numbers) == is("mse"));
    CHECK(loss_of(LossKind::Mse, Activation::Sigmoid, probabilities) == is("mse_sigmoid"));
    CHECK(loss_of(LossKind::CrossEntropy, Activation::Softmax, classes) == is("cross_entropy"));
    CHECK(loss_of(LossKind::CrossEntropy, Activation::None, classes) == is("cross_entropy_from_logits"));
    CHECK(loss_of(LossKind::CrossEntropy, Activation::Sigmoid, classes) == is("cross_entropy_sigmoid"));
    CHECK(loss_of(LossKind::BinaryCrossEntropy, Activation::Sigmoid, classes) == is("binary_cross_entropy"));
    CHECK(loss_of(LossKind::BinaryCrossEntropy, Activation::Sigmoid, probabilities) == is("binary_cross_entropy_soft"));
    const at::Tensor logits = tensor(wanted.at("logits"));
    const Objective weighted(LossKind::CrossEntropy, {Activation::Softmax}, {3}, classes);
    const at::Tensor weights = at::tensor(wanted.at("class_weights").get<std::vector<float>>());
    CHECK(weighted.loss(logits, weighted.prepare(classes), weights).item<double>() == is("weighted_cross_entropy"));
}

TEST_CASE("the losses of probabilities that are unflattened are those of the probabilities") {
    const at::Tensor x = at::tensor({-3.0f, -0.5f, 1.0f, 4.0f}).view({1, 4});
    const at::Tensor target = at::tensor({0.0f, 1.0f, 0.25f, 1.0f}).view({1, 1, 2, 2});
    const Net net(network_of("[sigmoid, {unflatten: {height: 2, width: 2}}]"), {4});
    Weights none;
    const Objective objective(LossKind::BinaryCrossEntropy, net.last_activation(), net.output(), target);
    double expected = 0;
    for (std::int64_t i = 0; i < 4; ++i) {
        const double p = 1 / (1 + std::exp(-x[0][i].item<double>())), t = target.flatten()[i].item<double>();
        expected -= (t * std::log(p) + (1 - t) * std::log(1 - p)) / 4;
    }
    CHECK(objective.loss(net.logits(none, x, {}), objective.prepare(target)).item<double>() == Approx(expected).epsilon(1e-6));
}

TEST_CASE("categorical and binary accuracy are Keras'") {
    const Json& wanted = reference().at("metrics");
    const at::Tensor logits = tensor(wanted.at("logits")), classes = labels(wanted.at("labels"));
    const Objective objective(LossKind::BinaryCrossEntropy, {Activation::Sigmoid}, {logits.size(1)}, classes);
    MetricSums sums;
    objective.add_to(sums, logits, objective.prepare(classes), 0);
    for (const auto& [name, value] : objective.means(sums))
        if (name != "loss") CHECK(value == Approx(wanted.at(name).get<double>()));
    CHECK(objective.means(sums).size() == 3);
}

TEST_CASE("Glorot's limit is Keras', for conv and dense layers") {
    for (const Json& one : reference().at("glorot")) {
        INFO(one.at("layer"));
        const Net net(network_of(fmt::format("[{}]", one.at("layer").get<std::string>())), one.at("input").get<Shape>());
        Weights weights = net.blank_weights();
        double largest = 0;
        for (std::int64_t seed = 0; seed < 40; ++seed) {
            initialise(net, Initialiser::Keras, seed, 0, weights);
            largest = std::max(largest, weights[0].abs().max().item<double>());
        }
        CHECK(largest == Approx(one.at("largest_of_many").get<double>()).epsilon(1e-3));
    }
}
