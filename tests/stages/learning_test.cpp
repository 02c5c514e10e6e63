// Losses, metrics and optimisers, against numbers worked out here in double.
#include "torch_test.h"

#include <cmath>
#include <limits>

#include "pipeline/network/metric_names.h"
#include "stages/class_weights.h"
#include "stages/gradients.h"
#include "stages/loss.h"
#include "stages/optimiser.h"

using namespace satdl;
using namespace satdl::stages;
using Catch::Matchers::Contains;

namespace {

at::Tensor matrix(std::int64_t rows, const std::vector<float>& values) { return at::tensor(values).view({rows, -1}); }
at::Tensor labels(const std::vector<std::int64_t>& values) { return at::tensor(values, at::kLong); }

double loss_of(LossKind kind, Activation last, const at::Tensor& logits, const at::Tensor& target) {
    const Objective objective(kind, {last}, logits.sizes().slice(1).vec(), target);
    return objective.loss(logits, objective.prepare(target)).item<double>();
}

std::map<std::string, double> metrics_of(LossKind kind, Activation last, const at::Tensor& logits,
                                         const at::Tensor& target) {
    const Objective objective(kind, {last}, logits.sizes().slice(1).vec(), target);
    MetricSums sums;
    // in two batches, one sample first
    const at::Tensor prepared = objective.prepare(target);
    const std::int64_t rest = logits.size(0) - 1;
    objective.add_to(sums, logits.narrow(0, 0, 1), prepared.narrow(0, 0, 1), 4);
    objective.add_to(sums, logits.narrow(0, 1, rest), prepared.narrow(0, 1, rest), 1);
    const Numbers numbers = objective.means(sums);
    return {numbers.begin(), numbers.end()};
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

}  // namespace

TEST_CASE("mse is the mean of squared differences, after the last activation") {
    CHECK(loss_of(LossKind::Mse, Activation::None, matrix(2, {1, 2, 3, 4}), matrix(2, {1, 0, 3, 7})) == Approx(13.0 / 4));
    CHECK(loss_of(LossKind::Mse, Activation::Sigmoid, matrix(1, {0, 100}), matrix(1, {1, 1})) == Approx(0.125));
}

TEST_CASE("cross-entropy is computed from logits, so that it neither overflows nor vanishes") {
    const double wanted = std::log(std::exp(1.0) + std::exp(2.0) + std::exp(4.0)) - 2;
    CHECK(loss_of(LossKind::CrossEntropy, Activation::Softmax, matrix(1, {1, 2, 4}), labels({1})) == Approx(wanted));
    CHECK(loss_of(LossKind::CrossEntropy, Activation::None, matrix(1, {1, 2, 4}), labels({1})) == Approx(wanted));
    CHECK(loss_of(LossKind::CrossEntropy, Activation::Softmax, matrix(1, {0, 500}), labels({0})) == Approx(500));
    const double share = sigmoid(1) / (sigmoid(1) + sigmoid(-2));
    CHECK(loss_of(LossKind::CrossEntropy, Activation::Sigmoid, matrix(1, {1, -2}), labels({0})) == Approx(-std::log(share)));
}

TEST_CASE("binary cross-entropy takes class numbers as one-hot, or numbers as they are") {
    const double wanted = -(std::log(1 - sigmoid(1)) + std::log(sigmoid(-2)) + std::log(1 - sigmoid(3))) / 3;
    CHECK(loss_of(LossKind::BinaryCrossEntropy, Activation::Sigmoid, matrix(1, {1, -2, 3}), labels({1})) == Approx(wanted));
    CHECK(loss_of(LossKind::BinaryCrossEntropy, Activation::Sigmoid, matrix(1, {1, -2, 3}), matrix(1, {0, 1, 0})) ==
          Approx(wanted));
    CHECK(loss_of(LossKind::BinaryCrossEntropy, Activation::Sigmoid, matrix(1, {-300}), labels({1})) == Approx(300));
    CHECK(loss_of(LossKind::BinaryCrossEntropy, Activation::Softmax, matrix(1, {0, 0}), labels({1})) ==
          Approx(std::log(2.0)));
}

TEST_CASE("metrics are weighted by samples") {
    const auto metrics = metrics_of(LossKind::CrossEntropy, Activation::Softmax, matrix(4, {9, 0, 0, 9, 9, 0, 0, 9}),
                                    labels({0, 1, 1, 1}));
    CHECK(metrics.at("loss") == Approx((4 + 3 * 1) / 4.0));
    CHECK(metrics.at("accuracy") == Approx(0.75));
    CHECK(!metrics.contains("binary_accuracy"));
    CHECK(metrics_of(LossKind::Mse, Activation::None, matrix(2, {1, 2}), matrix(2, {1, 2})).size() == 1);
}

TEST_CASE("binary accuracy counts single outputs: high where nearly all say no") {
    // outputs say no everywhere; each sample has one yes among four
    const at::Tensor no = at::full({2, 4}, -1.0f);
    const auto metrics = metrics_of(LossKind::BinaryCrossEntropy, Activation::Sigmoid, no, labels({1, 3}));
    CHECK(metrics.at("binary_accuracy") == Approx(0.75));
    CHECK(metrics.at("accuracy") == 0);
    CHECK(metrics_of(LossKind::CrossEntropy, Activation::Sigmoid, no, labels({0, 3})).at("binary_accuracy") == Approx(0.75));
    const auto one_output =
        metrics_of(LossKind::BinaryCrossEntropy, Activation::Sigmoid, matrix(2, {1, -1}), labels({1, 1}));
    CHECK(one_output.at("accuracy") == 0.5);
    const auto softmax =
        metrics_of(LossKind::BinaryCrossEntropy, Activation::Softmax, matrix(2, {2, 1, 1, 2}), labels({0, 0}));
    CHECK(softmax.at("binary_accuracy") == 0.5);
}

TEST_CASE("targets that do not fit are refused in words") {
    const at::Tensor two = matrix(1, {0, 0});
    CHECK_THROWS_WITH(loss_of(LossKind::CrossEntropy, Activation::Softmax, two, labels({2})),
                      Contains("class numbers 2 to 2") && Contains("2 classes") && Contains("at entry 0"));
    CHECK_THROWS_WITH(loss_of(LossKind::CrossEntropy, Activation::Softmax, two, labels({-1})), Contains("-1"));
    CHECK_THROWS_WITH(loss_of(LossKind::CrossEntropy, Activation::Softmax, two, matrix(1, {0, 1})),
                      Contains("is float32 [1, 2]") && Contains("y.argmax(axis=1)"));
    CHECK_THROWS_WITH(loss_of(LossKind::CrossEntropy, Activation::Softmax, two, labels({1}).unsqueeze(1)),
                      Contains("is int64 [1, 1]") && Contains("y.reshape(-1)"));
    CHECK_THROWS_WITH(loss_of(LossKind::BinaryCrossEntropy, Activation::Sigmoid, two, matrix(1, {0, 255})),
                      Contains("needs targets between 0 and 1, but these are 0 to 255"));
    CHECK_THROWS_WITH(loss_of(LossKind::Mse, Activation::None, two, matrix(1, {1, 2, 3})),
                      Contains("[N, 2], but is float32 [1, 3]"));
    CHECK_THROWS_WITH(loss_of(LossKind::Mse, Activation::None, two, labels({1})), Contains("use the loss cross_entropy"));
    CHECK_THROWS_WITH(loss_of(LossKind::Mse, Activation::None, matrix(1, {0}), matrix(1, {1}).squeeze(1)), Contains("y.reshape(-1, 1)"));
}

TEST_CASE("a loss that does not fit the network is refused by the rules of the plan") {
    const auto objective = [](const std::string& layers, const Shape& input) {
        return Objective(LossKind::CrossEntropy, Net(network_of(layers), input), labels({1}));
    };
    CHECK_THROWS_WITH(objective("[{conv: 4, activation: softmax}, global_average_pool]", {1, 8, 8}),
                      "cross_entropy needs the softmax last: layer conv_1 is followed by global_average_pool_1\n"
                      "  put global_average_pool_1 before the softmax");
    CHECK_THROWS_WITH(objective("[{dense: 1, activation: sigmoid}]", {5}), Contains("one output per class"));
    CHECK_NOTHROW(objective("[{dense: 2, activation: softmax}]", {5}));
}

namespace {

// Three updates of one weight by the library, gradients given.
std::vector<double> updated(const OptimiserOptions& options, double weight, const std::vector<double>& gradients) {
    Weights trained{at::full({1}, weight, at::kFloat)};
    Moments moments = start_moments(options.kind, trained);
    std::vector<double> weights;
    for (std::size_t i = 0; i < gradients.size(); ++i) {
        update(options, static_cast<std::int64_t>(i) + 1, options.learning_rate,
               {at::full({1}, gradients[i], at::kFloat)}, moments, trained);
        weights.push_back(trained[0].item<double>());
    }
    return weights;
}

}  // namespace

TEST_CASE("Adam and AdamW follow Keras' formulas") {
    const bool decays = GENERATE(false, true);
    const OptimiserOptions options{.kind = decays ? OptimiserKind::AdamW : OptimiserKind::Adam, .learning_rate = 0.1,
                                   .beta1 = 0.8, .beta2 = 0.95, .epsilon = 0.01,
                                   .weight_decay = decays ? std::optional(0.2) : std::nullopt};
    const std::vector<double> gradients{0.5, -2, 0.001};
    const std::vector<double> found = updated(options, 3, gradients);
    double w = 3, m = 0, v = 0;
    for (int t = 1; t <= 3; ++t) {
        const double g = gradients[static_cast<std::size_t>(t - 1)];
        m = 0.8 * m + 0.2 * g;
        v = 0.95 * v + 0.05 * g * g;
        if (decays) w -= 0.1 * 0.2 * w;
        w -= 0.1 * std::sqrt(1 - std::pow(0.95, t)) / (1 - std::pow(0.8, t)) * m / (std::sqrt(v) + 0.01);
        CHECK(found[static_cast<std::size_t>(t - 1)] == Approx(w).epsilon(1e-6));
    }
}

TEST_CASE("SGD with momentum follows Keras' formula") {
    const OptimiserOptions options{.kind = OptimiserKind::Sgd, .learning_rate = 0.1, .momentum = 0.5};
    const std::vector<double> found = updated(options, 1, {1, 2});
    CHECK(found[0] == Approx(1 - 0.1));
    CHECK(found[1] == Approx(0.9 - 0.5 * 0.1 - 0.1 * 2));
}

TEST_CASE("SGD with Nesterov's momentum follows Keras' formula, and any optimiser can let weights decay") {
    const OptimiserOptions options{
        .kind = OptimiserKind::Sgd, .learning_rate = 0.1, .momentum = 0.5, .nesterov = true, .weight_decay = 0.2};
    const std::vector<double> gradients{1, 2}, found = updated(options, 1, gradients);
    double w = 1, s = 0;
    for (std::size_t i = 0; i < 2; ++i) {
        w -= 0.1 * 0.2 * w;
        s = 0.5 * s - 0.1 * gradients[i];
        w += 0.5 * s - 0.1 * gradients[i];
        CHECK(found[i] == Approx(w));
    }
    const OptimiserOptions adam{.kind = OptimiserKind::Adam, .learning_rate = 0.1, .weight_decay = 0.5};
    CHECK(updated(adam, 4, {0})[0] == Approx(4 * (1 - 0.05)));
    CHECK(updated({.kind = OptimiserKind::AdamW, .learning_rate = 0.1}, 4, {0})[0] == Approx(4 * (1 - 0.1 * 0.004)));
}

TEST_CASE("Keras' defaults: epsilon 1e-7, beta 0.9 and 0.999") {
    // From zero moments, one update is rate * g / (|g| + epsilon / sqrt(1 - 0.999)): 1e-7 is what shows at a tiny gradient.
    const double g = 1e-6;
    CHECK(1 - updated({.learning_rate = 0.5}, 1, {g})[0] ==
          Approx(0.5 * g / (g + 1e-7 / std::sqrt(1 - 0.999))).epsilon(1e-4));
}

TEST_CASE("gradients are clipped by their norm, all together") {
    const Weights gradients{at::tensor({3.0f, 0.0f}), at::tensor({4.0f})};
    const Weights shrunk = clipped({.norm = 1, .value = {}}, gradients).value();
    CHECK(shrunk[0][0].item<double>() == Approx(0.6));
    CHECK(shrunk[1][0].item<double>() == Approx(0.8));
    CHECK(clipped({.norm = 5, .value = {}}, gradients).value()[0].equal(gradients[0]));
    CHECK(gradients[0][0].item<double>() == 3);
}

TEST_CASE("gradients are clipped each by itself") {
    const Weights cut = clipped({.norm = {}, .value = 2.5}, {at::tensor({3.0f, -7.0f, 1.0f})}).value();
    CHECK(cut[0].equal(at::tensor({2.5f, -2.5f, 1.0f})));
}

TEST_CASE("gradients that are no numbers are not clipped, but the greatest that are") {
    const float bad = GENERATE(std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(), std::nanf(""));
    const Weights gradients{at::tensor({3.0f}), at::tensor({1.0f, bad})};
    CHECK(!clipped({.norm = 1, .value = {}}, gradients));
    CHECK(!clipped({.norm = {}, .value = 1}, gradients));
    CHECK(clipped({}, gradients));  // as they are: the update's weights show it
    const float greatest = std::numeric_limits<float>::max();
    CHECK(clipped({.norm = 1, .value = {}}, {at::tensor({greatest, -greatest})}).value()[0][0].item<double>() == Approx(std::sqrt(0.5)));
}

TEST_CASE("the mean of several batches' gradients weighs each by its samples, and empties the sum") {
    GradientSum sum;
    add_to(sum, {at::tensor({1.0f})}, 3);
    add_to(sum, {at::tensor({5.0f})}, 1);
    CHECK(sum.batches == 2);
    CHECK(take_mean(sum)[0].item<double>() == Approx(2));
    CHECK(sum.sums.empty());
    CHECK(sum.samples == 0);
}

TEST_CASE("class weights multiply each sample's loss, whose sum is still divided by the samples") {
    const at::Tensor logits = matrix(2, {1, 2, 4, 0, 0, 0}), weights = at::tensor({1.0f, 10.0f, 0.5f});
    const auto weighted = [&](LossKind kind, Activation last) {
        const Objective objective(kind, {last}, {3}, labels({1, 2}));
        return objective.loss(logits, labels({1, 2}), weights).item<double>();
    };
    const double first = std::log(std::exp(1.0) + std::exp(2.0) + std::exp(4.0)) - 2, second = std::log(3.0);
    CHECK(weighted(LossKind::CrossEntropy, Activation::Softmax) == Approx((10 * first + 0.5 * second) / 2));
    const auto no = [](double x) { return -std::log(1 - sigmoid(x)); };
    const double binary_first = (no(1) - std::log(sigmoid(2)) + no(4)) / 3, binary_second = std::log(2.0);
    CHECK(weighted(LossKind::BinaryCrossEntropy, Activation::Sigmoid) ==
          Approx((10 * binary_first + 0.5 * binary_second) / 2));
}

TEST_CASE("balanced class weights make each class count the same") {
    CHECK(balanced_weights(labels({0, 0, 0, 2}), 3) == std::vector<double>{4.0 / 9, 0, 4.0 / 3});
}

TEST_CASE("what an objective reports is what planning says it will") {
    const std::vector<std::pair<std::string, LossKind>> losses{{"mse", LossKind::Mse},
                                                               {"cross_entropy", LossKind::CrossEntropy},
                                                               {"binary_cross_entropy", LossKind::BinaryCrossEntropy}};
    for (const auto& [name, loss] : losses) {
        for (const Activation last : {Activation::None, Activation::Sigmoid, Activation::Softmax}) {
            for (const std::int64_t outputs : {1, 3}) {
                for (const bool classes : {true, false}) {
                    if (loss == LossKind::CrossEntropy && (!classes || outputs == 1)) continue;  // refused
                    if (loss == LossKind::Mse && classes) continue;
                    const at::Tensor target = classes ? labels({1, 0}) : at::ones({2, outputs});
                    const LossFacts facts{name, last, {outputs}, classes};
                    for (const Metrics metrics : {Metrics::Usual, Metrics::All}) {
                        const Objective objective(loss, {last}, {outputs}, target, metrics);
                        MetricSums sums;
                        objective.add_to(sums, at::ones({2, outputs}), objective.prepare(target), 1);
                        std::vector<std::string> found, wanted;
                        for (const auto& [metric, value] : objective.means(sums)) found.push_back(metric);
                        wanted = metrics == Metrics::Usual ? training_metrics(facts) : evaluation_metrics(facts);
                        std::erase_if(wanted, [](const std::string& one) { return one.find('/') != one.npos; });
                        INFO(name << ", activation " << name_of(last) << ", " << outputs << " outputs");
                        CHECK(found == wanted);
                    }
                }
            }
        }
    }
}

TEST_CASE("an update is the same with any number of threads, and in any memory layout of the gradient") {
    const auto updated_with = [](int threads, bool channels_last) {
        at::set_num_threads(threads);
        Weights trained{at::ones({64, 64, 5, 5}).contiguous(at::MemoryFormat::ChannelsLast)};
        at::Tensor gradient = at::arange(102'400, at::kFloat).sin().view({64, 64, 5, 5});
        if (channels_last) gradient = gradient.contiguous(at::MemoryFormat::ChannelsLast);
        Moments moments = start_moments(OptimiserKind::Adam, trained);
        for (int t = 1; t <= 3; ++t) update({}, t, 1e-3, {gradient}, moments, trained);
        at::set_num_threads(1);
        return trained[0];
    };
    CHECK(updated_with(1, true).equal(updated_with(4, true)));
    CHECK(updated_with(1, true).equal(updated_with(1, false)));
}
