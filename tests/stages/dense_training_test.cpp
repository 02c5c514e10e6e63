// Trainings of dense networks without autograd: what LibTorch's autograd makes of the same network, within rounding; and the
// same bytes whatever the number of threads, and wherever they were interrupted.
#include "stages/dense_training.h"

#include <cmath>

#include "stages/kernels/cpu_level.h"
#include "torch_test.h"
#include "trainings.h"

using namespace satdl;
using namespace satdl::stages;

namespace {

// Of `count` samples of three kinds, 18 numbers each.
StageInputs samples(std::int64_t count, std::int64_t outputs, bool classes, const Shape& shape = {18}) {
    const Stream stream(2, Purpose::Noise);
    std::vector<float> x, target;
    std::vector<std::uint8_t> labels;
    for (std::int64_t i = 0; i < count; ++i) {
        for (std::int64_t k = 0; k < 18; ++k)
            x.push_back(static_cast<float>(stream.uniform(static_cast<std::uint64_t>(i * 18 + k))) +
                        (k % 3 == i % 3 ? 1.0f : 0.0f));
        labels.push_back(static_cast<std::uint8_t>(i % std::max<std::int64_t>(2, outputs)));
        for (std::int64_t o = 0; o < outputs; ++o) target.push_back(x[static_cast<std::size_t>(i * 18 + o % 18)] / 2);
    }
    Shape all{count};
    all.insert(all.end(), shape.begin(), shape.end());
    const NamedArrays samples = port(array<float>(all, x));
    const NamedArrays wanted =
        classes ? port(array<std::uint8_t>({count}, labels)) : port(array<float>({count, outputs}, target));
    return {{"x", samples}, {"target", wanted}, {"val_x", samples}, {"val_target", wanted}};
}

Training training(const std::string& layers, const std::string& loss, std::int64_t outputs, bool classes,
                  const Given& more = {}) {
    return with({train_stage(),
                 samples(53, outputs, classes),
                 {{"net", "[" + layers + "]"},
                  {"loss", loss},
                  {"epochs", "3"},
                  {"batch_size", "16"},
                  {"learning_rate", "0.01"},
                  {"seed", "5"}}},
                more);
}

// The same training by autograd: a chain has no dropout, and this one drops nothing. It takes the place of a flatten, which
// does nothing either: initial weights follow from a layer's position.
const std::string kNothing = "{dropout: 0}";
Training by_autograd(Training training) {
    std::string& net = training.given.at("net");
    net.replace(net.find("flatten"), std::string("flatten").size(), kNothing);
    return training;
}

StageOutput run(const Training& training, int threads = 1) {
    return stages::run(training.stage, training.inputs, training.given, threads);
}

std::unique_ptr<DenseTraining> chain_of(const std::string& layers, LossKind loss, const at::Tensor& target,
                                        Shape input = {18}, Precision precision = Precision::Fp32) {
    const Net net(network_of(layers), input, precision);
    input.insert(input.begin(), target.size(0));
    return DenseTraining::of(
        net, {.loss = loss, .batch_size = 4, .samples = {at::zeros(input), target}, .class_weights = {}});
}

void check_equal(const Training& training) {
    const StageOutput chain = run(training), autograd = run(by_autograd(training));
    REQUIRE(chain.outputs.at("history").size() == autograd.outputs.at("history").size());
    for (const auto& [name, array] : autograd.outputs.at("history")) {
        INFO(name);
        if (array.dtype() != DType::Float64) continue;
        const auto got = values_of<double>(chain.outputs.at("history").at(name)), expected = values_of<double>(array);
        for (std::size_t i = 0; i < expected.size(); ++i) CHECK(got[i] == Approx(expected[i]).epsilon(3e-5).margin(1e-7));
    }
    for (const auto& [name, array] : autograd.outputs.at("model")) {
        if (array.dtype() != DType::Float32) continue;
        INFO(name);
        const auto got = values_of<float>(chain.outputs.at("model").at(name)), expected = values_of<float>(array);
        double worst = 0;
        for (std::size_t i = 0; i < expected.size(); ++i)
            worst = std::max(worst, std::fabs(static_cast<double>(got[i]) - static_cast<double>(expected[i])));
        CHECK(worst < 2e-4);
    }
}

struct Case {
    std::string last, loss;  // the activation of the last layer
    std::int64_t outputs;
    bool classes;
};
const std::vector<Case> kCases{{"none", "mse", 7, false},
                               {"relu", "mse", 7, false},
                               {"leaky_relu", "mse", 7, false},
                               {"sigmoid", "mse", 7, false},
                               {"tanh", "mse", 1, false},
                               {"softmax", "mse", 7, false},
                               {"gelu", "mse", 7, false},
                               {"none", "cross_entropy", 3, true},
                               {"softmax", "cross_entropy", 3, true},
                               {"sigmoid", "cross_entropy", 3, true},
                               {"none", "binary_cross_entropy", 7, false},
                               {"sigmoid", "binary_cross_entropy", 7, false},
                               {"sigmoid", "binary_cross_entropy", 3, true},
                               {"softmax", "binary_cross_entropy", 3, true},
                               {"sigmoid", "binary_cross_entropy", 1, true}};

std::string layers_of(const Case& one, const std::string& hidden = "relu") {
    const std::string last = one.last == "none" ? "" : ", activation: " + one.last;
    return "flatten, {dense: 19, activation: " + hidden + "}, {dense: " + std::to_string(one.outputs) + last + "}";
}

// That remember much, of a kind that is trained as a chain.
Training chain(const Given& more = {}) {
    return training("flatten, {dense: 9, activation: relu}, {dense: 3, activation: softmax}", "cross_entropy", 3, true,
                    more);
}

}  // namespace

TEST_CASE("a chain of dense layers is trained without autograd, and everything else with it") {
    if (kernels::cpu_level() == kernels::CpuLevel::Baseline) return;
    const at::Tensor classes = at::zeros({8}, at::kLong), values = at::zeros({8, 4});
    const auto is_chain = [&](const std::string& layers, LossKind loss, const at::Tensor& target) {
        return chain_of(layers, loss, target, {2, 3, 3}) != nullptr;
    };
    CHECK(is_chain("[flatten, {dense: 5, activation: relu}, {dense: 4, activation: softmax}]", LossKind::CrossEntropy,
                   classes));
    CHECK(is_chain("[flatten, {dense: 5, bias: false}, tanh, {dense: 4, activation: sigmoid}]", LossKind::BinaryCrossEntropy,
                   values));
    CHECK(is_chain("[flatten, {dense: 18, activation: sigmoid}, {unflatten: {channels: 2, height: 3, width: 3}}]",
                   LossKind::Mse, at::zeros({8, 2, 3, 3})));
    CHECK_FALSE(is_chain("[flatten, {dense: 5, activation: softmax}, {dense: 4}]", LossKind::Mse, values));
    CHECK_FALSE(is_chain("[flatten, {dense: 5, activation: gelu}, {dense: 4}]", LossKind::Mse, values));
    CHECK_FALSE(is_chain("[flatten, {dense: 5, activation: relu}, tanh, {dense: 4}]", LossKind::Mse, values));
    CHECK_FALSE(is_chain("[relu, flatten, {dense: 4}]", LossKind::Mse, values));
    CHECK_FALSE(is_chain("[flatten, {dropout: 0.1}, {dense: 4}]", LossKind::Mse, values));
    CHECK_FALSE(is_chain("[{conv: 2}, flatten, {dense: 4}]", LossKind::Mse, values));
    CHECK_FALSE(is_chain("[flatten, batch_norm, {dense: 4}]", LossKind::Mse, values));
    CHECK_FALSE(is_chain("[flatten, {dense: 4, activation: sigmoid}]", LossKind::CrossEntropy, classes));
    CHECK_FALSE(is_chain("[flatten, {dense: 4, activation: softmax}]", LossKind::BinaryCrossEntropy, classes));
    CHECK_FALSE(chain_of("[{dense: 4}]", LossKind::Mse, values, {18}, Precision::Bf16) != nullptr);
}

TEST_CASE("every loss after every activation trains as autograd does") {
    for (const Case& one : kCases) {
        INFO(one.loss << " after " << one.last << ", " << one.outputs << (one.classes ? " classes" : " outputs"));
        check_equal(training(layers_of(one), one.loss, one.outputs, one.classes));
    }
    for (const std::string hidden : {"leaky_relu", "sigmoid", "tanh"}) {
        INFO(hidden);
        check_equal(training(layers_of(kCases[8], hidden), "cross_entropy", 3, true));
    }
}

TEST_CASE("every optimiser, schedule and option does to a chain what it does to autograd's network") {
    std::vector<Given> all = options_that_remember();
    all.push_back({{"optimiser", "adamw"}, {"weight_decay", "0.1"}, {"clip_norm", "0.5"}, {"accumulate", "2"}});
    all.push_back({{"keep", "last"}, {"schedule", "cosine"}, {"batch_size", "100"}});
    all.push_back({{"batch_size", "1"}, {"epochs", "1"}, {"learning_rate", "0.001"}});
    for (const Given& more : all) {
        if (more.contains("precision")) continue;  // bf16, which is no chain's
        INFO(more.begin()->first << ": " << more.begin()->second);
        check_equal(chain(more));
    }
}

TEST_CASE("frozen layers of a chain stay as they are, and the others learn as by autograd") {
    const StageOutput base = run(chain());
    const auto tuned = [&](const std::string& more) {
        Training training{fine_tune_stage(),
                          samples(53, 3, true),
                          {{"net", "[" + more + ", {dense: 6, activation: tanh}, {dense: 3, activation: softmax}]"},
                           {"until", "dense_1"},
                           {"freeze", "true"},
                           {"loss", "cross_entropy"},
                           {"epochs", "2"},
                           {"batch_size", "16"}}};
        training.inputs["base"] = base.outputs.at("model");
        return run(training);
    };
    const StageOutput chain = tuned("flatten"), autograd = tuned(kNothing);
    CHECK(values_of<float>(chain.outputs.at("model").at("dense_1.weight")) ==
          values_of<float>(base.outputs.at("model").at("dense_1.weight")));
    const auto got = values_of<float>(chain.outputs.at("model").at("dense_2.weight")),
               expected = values_of<float>(autograd.outputs.at("model").at("dense_2.weight"));
    for (std::size_t i = 0; i < got.size(); ++i) CHECK(got[i] == Approx(expected[i]).margin(1e-5));
    CHECK(metric(chain, "val/loss") == Approx(metric(autograd, "val/loss")).epsilon(1e-5));
}

TEST_CASE("1, 2, 3, 5 and 8 threads train a chain to the same bytes, metrics and validation included") {
    if (kernels::cpu_level() == kernels::CpuLevel::Baseline) return;
    for (const Case& one : kCases) {
        if (one.last == "gelu") continue;  // LibTorch's own
        const Training training = ::training(layers_of(one), one.loss, one.outputs, one.classes, {{"epochs", "2"}});
        const auto expected = bytes_of(run(training));
        for (const int threads : {2, 3, 5, 8}) {
            INFO(one.loss << " after " << one.last << ", " << threads << " threads");
            CHECK(bytes_of(run(training, threads)) == expected);
        }
    }
    for (const Given& more : {Given{{"clip_norm", "0.1"}}, Given{{"clip_value", "0.01"}}, Given{{"accumulate", "2"}},
                              Given{{"optimiser", "sgd"}, {"momentum", "0.9"}}}) {
        const auto expected = bytes_of(run(chain(more)));
        for (const int threads : {2, 3, 5}) CHECK(bytes_of(run(chain(more), threads)) == expected);
    }
}

TEST_CASE("1, 2, 3, 5 and 8 threads train and validate networks of the usual widths to the same bytes") {
    if (kernels::cpu_level() == kernels::CpuLevel::Baseline) return;
    const auto [net, loss, outputs] = GENERATE(table<std::string, std::string, std::int64_t>(
        {{"{dense: 300, activation: tanh}, {dense: 10, activation: softmax}", "cross_entropy", 10},
         {"{dense: 700, activation: relu}, {dense: 784, activation: sigmoid}", "mse", 784},
         {"{dense: 64, activation: sigmoid}, {dense: 784, activation: sigmoid}", "binary_cross_entropy", 784}}));
    Training wide = training(net, loss, outputs, loss == "cross_entropy", {{"epochs", "1"}, {"batch_size", "128"}});
    wide.inputs = samples(299, outputs, loss == "cross_entropy");
    const auto expected = bytes_of(run(wide));
    for (const int threads : {2, 3, 5, 8}) {
        INFO(threads << " threads");
        for (const auto& [name, bytes] : bytes_of(run(wide, threads))) {
            INFO(name);
            CHECK((bytes == expected.at(name)));
        }
    }
}

TEST_CASE("images are flattened as their numbers lie") {
    Training images = chain(), rows = images;
    images.inputs = samples(53, 3, true, {2, 3, 3});
    CHECK(values_of<float>(run(images).outputs.at("model").at("dense_1.weight")) ==
          values_of<float>(run(rows).outputs.at("model").at("dense_1.weight")));
}

TEST_CASE("moments fade, but not into denormals, which would slow down every update after that") {
    std::vector<float> w(9, 1), m(9, 1e-30f), v(9, 0), g(9, 0);
    const ElementUpdate update({}, 5, 0.001);
    for (int i = 0; i < 200; ++i) update(0, 9, g.data(), m.data(), v.data(), w.data());
    for (const float one : m) CHECK((one == 0 || std::fpclassify(one) == FP_NORMAL));
}
