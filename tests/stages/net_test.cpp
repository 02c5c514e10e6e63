#include "torch_test.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "stages/initialise.h"
#include "stages/torch_network.h"

using namespace satdl;
using namespace satdl::stages;
using Catch::Matchers::Contains;

namespace {

at::Tensor doubles(at::IntArrayRef shape, const std::vector<double>& values) {
    return at::tensor(values, at::kDouble).view(shape);
}

// Numbers in [-1, 1) without pattern.
at::Tensor arbitrary(at::IntArrayRef shape, std::uint32_t index) {
    at::Tensor tensor = at::empty(shape, at::kDouble);
    const Stream stream(99, Purpose::Weights, index);
    for (std::int64_t i = 0; i < tensor.numel(); ++i) {
        tensor.data_ptr<double>()[i] = 2 * stream.uniform(static_cast<std::uint64_t>(i)) - 1;
    }
    return tensor;
}

Weights arbitrary_weights(const Net& net) {
    Weights weights = net.blank_weights(at::kDouble);
    for (std::size_t i = 0; i < weights.size(); ++i) {
        weights[i].copy_(arbitrary(weights[i].sizes(), static_cast<std::uint32_t>(i)));
        if (net.tensors()[i].role == TensorRole::MovingVariance) weights[i].add_(2);
    }
    return weights;
}

// One layer's output, not training, for hand-worked weights.
std::vector<double> output_of(const std::string& layers, const at::Tensor& x,
                              const std::vector<std::vector<double>>& tensors) {
    const Net net(network_of(layers), x.sizes().slice(1).vec());
    Weights weights = net.blank_weights(at::kDouble);
    REQUIRE(weights.size() == tensors.size());
    for (std::size_t i = 0; i < weights.size(); ++i) weights[i].copy_(doubles(weights[i].sizes(), tensors[i]));
    const at::Tensor y = net.features(weights, x, net.network().layers.size() - 1).contiguous();
    return {y.data_ptr<double>(), y.data_ptr<double>() + y.numel()};
}

void check_near(const std::vector<double>& found, const std::vector<double>& wanted) {
    REQUIRE(found.size() == wanted.size());
    for (std::size_t i = 0; i < found.size(); ++i) CHECK(found[i] == Approx(wanted[i]).margin(1e-12));
}

const at::Tensor kImage = doubles({1, 1, 3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9});

}  // namespace

TEST_CASE("dense multiplies, adds its bias and activates") {
    const at::Tensor x = doubles({1, 2}, {1, 2});
    check_near(output_of("[{dense: 2}]", x, {{1, 2, 3, 4}, {10, -20}}), {15, -9});
    check_near(output_of("[{dense: 2, activation: relu}]", x, {{1, 2, 3, 4}, {10, -20}}), {15, 0});
    check_near(output_of("[{dense: 1, bias: false, activation: sigmoid}]", x, {{1, -0.5}}), {0.5});
    check_near(output_of("[{dense: 2, bias: false, activation: softmax}]", x, {{0, 0, std::log(3.0), 0}}), {0.25, 0.75});
}

TEST_CASE("conv keeps the size with `same`, loses the rim with `valid`") {
    const std::vector<double> sum_of_nine(9, 1);
    check_near(output_of("[{conv: 1, kernel: 3, padding: valid}]", kImage, {sum_of_nine, {0.5}}), {45.5});
    check_near(output_of("[{conv: 1, kernel: 3}]", kImage, {sum_of_nine, {0}}), {12, 21, 16, 27, 45, 33, 24, 39, 28});
    check_near(output_of("[{conv: 2, kernel: 1, bias: false}]", doubles({1, 1, 1, 2}, {3, 4}), {{1, -1}}), {3, 4, -3, -4});
}

TEST_CASE("conv `same` puts the odd zero at the end, as Keras does") {
    // kernel 2 at stride 1 needs one zero: after the last row and column
    check_near(output_of("[{conv: 1, kernel: 2, bias: false}]", kImage, {{1, 1, 1, 1}}), {12, 16, 9, 24, 28, 15, 15, 17, 9});
    // stride 2 over 4 columns with kernel 3 needs one zero as well: windows begin at columns 0 and 2
    const at::Tensor row = doubles({1, 1, 1, 4}, {1, 2, 3, 4});
    check_near(output_of("[{conv: 1, kernel: 3, stride: 2, bias: false}]", row, {{0, 0, 0, 1, 1, 1, 0, 0, 0}}), {6, 7});
}

TEST_CASE("pooling, upsampling and flatten move numbers as they say") {
    check_near(output_of("[max_pool]", doubles({1, 1, 2, 4}, {1, 5, 2, 0, 3, 4, 8, 1}), {}), {5, 8});
    check_near(output_of("[{average_pool: 2}]", doubles({1, 1, 2, 4}, {1, 5, 2, 0, 3, 4, 8, 2}), {}), {3.25, 3});
    check_near(output_of("[{max_pool: 2, stride: 1}]", kImage, {}), {5, 6, 8, 9});
    check_near(output_of("[upsample]", doubles({1, 1, 1, 2}, {1, 2}), {}), {1, 1, 2, 2, 1, 1, 2, 2});
    check_near(output_of("[global_average_pool]", doubles({1, 2, 1, 3}, {1, 2, 6, 0, 4, 5}), {}), {3, 3});
    check_near(output_of("[flatten]", kImage, {}), {1, 2, 3, 4, 5, 6, 7, 8, 9});
    check_near(output_of("[flatten, {unflatten: {height: 3, width: 3}}, {max_pool: 3}]", kImage, {}), {9});
}

TEST_CASE("activations as layers of their own leave their input alone") {
    const at::Tensor x = doubles({1, 3}, {-1, 0, 2});
    check_near(output_of("[relu]", x, {}), {0, 0, 2});
    check_near(output_of("[leaky_relu]", x, {}), {-0.3, 0, 2});
    check_near(output_of("[{leaky_relu: 0.1}]", x, {}), {-0.1, 0, 2});
    // x * Phi(x) with the normal distribution's Phi: PyTorch's GELU, and Keras' with approximate=False
    check_near(output_of("[gelu]", x, {}), {-0.15865525393145707, 0, 1.9544997361036416});
    check_near(output_of("[tanh]", x, {}), {std::tanh(-1), 0, std::tanh(2)});
    check_near(output_of("[sigmoid]", x, {}), {1 / (1 + std::exp(1)), 0.5, 1 / (1 + std::exp(-2))});
    check_near(output_of("[relu, sigmoid]", x, {}), {0.5, 0.5, 1 / (1 + std::exp(-2))});
    check_near({x.data_ptr<double>(), x.data_ptr<double>() + 3}, {-1, 0, 2});
}

TEST_CASE("batch norm: the moving statistics when not training, the batch's own when training") {
    const at::Tensor x = doubles({4, 1}, {1, 2, 3, 6});
    check_near(output_of("[{batch_norm: {epsilon: 0.5}}]", x, {{2}, {1}, {3}, {3.5}}), {-1, 0, 1, 4});

    const Net net(network_of("[{batch_norm: {momentum: 0.9, epsilon: 0.5}}]"), {1});
    Weights weights = net.blank_weights(at::kDouble);
    weights[0].fill_(1), weights[1].fill_(0), weights[2].fill_(10), weights[3].fill_(20);
    const at::Tensor y = net.logits(weights, x, {.training = true});
    // mean 3, biased variance (4 + 1 + 0 + 9) / 4 = 3.5
    check_near({y.data_ptr<double>(), y.data_ptr<double>() + 4}, {-1, -0.5, 0, 1.5});
    CHECK(weights[2].item<double>() == Approx(0.9 * 10 + 0.1 * 3));
    CHECK(weights[3].item<double>() == Approx(0.9 * 20 + 0.1 * 3.5));

    (void)net.logits(weights, x, {.training = true, .frozen_layers = 1});
    CHECK(weights[2].item<double>() == Approx(9.3));
}

TEST_CASE("layer norm takes the statistics of a sample's features, or of a pixel's channels, in training as afterwards") {
    // mean 3, biased variance 3.5
    const at::Tensor row = doubles({1, 4}, {1, 2, 3, 6});
    check_near(output_of("[{layer_norm: {epsilon: 0.5}}]", row, {{1, 1, 1, 2}, {0, 0, 7, 0}}), {-1, -0.5, 7, 3});
    // pixels (1, 3) and (5, 5): means 2 and 5, variances 1 and 0
    const at::Tensor image = doubles({1, 2, 1, 2}, {1, 5, 3, 5});
    check_near(output_of("[{layer_norm: {epsilon: 0.44}}]", image, {{1.2, 2.4}, {0, 10}}), {-1, 0, 12, 10});
    const Net net(network_of("[layer_norm]"), {2, 1, 2});  // Keras' epsilon: 0.001
    Weights weights = net.blank_weights(at::kDouble);
    weights[0].fill_(1), weights[1].fill_(0);
    const at::Tensor y = net.logits(weights, image, {.training = true}).contiguous();
    check_near({y.data_ptr<double>(), y.data_ptr<double>() + 4}, {-1 / std::sqrt(1.001), 0, 1 / std::sqrt(1.001), 0});
    CHECK(y.equal(net.logits(weights, image, {})));
}

TEST_CASE("batch norm's own values are Keras': momentum 0.99, epsilon 0.001") {
    const Net net(network_of("[batch_norm]"), {1});
    Weights weights = net.blank_weights(at::kDouble);
    weights[0].fill_(1), weights[1].fill_(0), weights[2].fill_(0), weights[3].fill_(1);
    const at::Tensor y = net.logits(weights, doubles({2, 1}, {0, 2}), {.training = true});
    check_near({y.data_ptr<double>(), y.data_ptr<double>() + 2}, {-1 / std::sqrt(1.001), 1 / std::sqrt(1.001)});
    CHECK(weights[2].item<double>() == Approx(0.01));  // 0.99 * 0 + 0.01 * 1
    CHECK(weights[3].item<double>() == Approx(1));
    check_near(output_of("[batch_norm]", doubles({1, 1}, {3}), {{2}, {1}, {1}, {0.5}}), {2 * 2 / std::sqrt(0.501) + 1});
}

TEST_CASE("a sigmoid or a softmax is the last activation also before layers that only move numbers about") {
    const at::Tensor x = doubles({1, 4}, {-1, 0, 2, 3});
    const auto [layers, last, moved] = GENERATE(table<std::string, Activation, bool>({
        {"[sigmoid]", Activation::Sigmoid, true},
        {"[sigmoid, {unflatten: {height: 2, width: 2}}]", Activation::Sigmoid, true},
        {"[sigmoid, {unflatten: {channels: 4}}, upsample, flatten]", Activation::Sigmoid, true},
        {"[softmax, flatten]", Activation::Softmax, true},
        {"[softmax, {unflatten: {channels: 4}}]", Activation::Softmax, true},
        {"[softmax, {unflatten: {height: 2, width: 2}}]", Activation::None, false},
        {"[{unflatten: {channels: 2, height: 2}}, softmax, flatten]", Activation::None, false},
        {"[sigmoid, {dropout: 0.5}]", Activation::None, false},
        {"[relu, flatten]", Activation::None, false},
    }));
    INFO(layers);
    const Net net(network_of(layers), {4});
    Weights none;
    CHECK(net.last_activation().kind == last);
    const at::Tensor logits = net.logits(none, x, {});
    CHECK(activate(net.last_activation(), logits, false).allclose(net.features(none, x, net.network().layers.size() - 1), 1e-14));
    CHECK((logits.max().item<double>() == 3) == (moved || layers == "[relu, flatten]"));
}

TEST_CASE("dropout's mask depends on seed, step and layer, and keeps the mean") {
    const Net net(network_of("[{dropout: 0.25}, {dropout: 0.25}]"), {50'000});
    Weights none;
    const at::Tensor ones = at::ones({2, 50'000});
    const auto pass = [&](std::int64_t seed, std::int64_t step) { return net.logits(none, ones, {true, 0, seed, step}); };
    CHECK(pass(1, 5).equal(pass(1, 5)));
    CHECK(!pass(1, 5).equal(pass(1, 6)));
    CHECK(!pass(1, 5).equal(pass(2, 5)));
    CHECK(net.logits(none, ones, {}).equal(ones));
    const at::Tensor y = pass(1, 5);
    CHECK(y.mean().item<double>() == Approx(1).margin(0.02));
    CHECK(y.eq(0).sum().item<double>() / 100'000 == Approx(1 - 0.75 * 0.75).margin(0.01));  // two masks, not one twice
    CHECK(y.max().item<double>() == Approx(1 / 0.75 / 0.75));
    CHECK(net.logits(none, ones, {true, 2, 1, 5}).equal(ones));
}

TEST_CASE("dropout drops the elements whose word of Philox is below its rate, counted with the channels last") {
    const std::int64_t seed = 5, step = 9;
    const Net net(network_of("[relu, {dropout: 0.3}]"), {2, 3, 4});
    Weights none;
    const at::Tensor x = arbitrary({30, 2, 3, 4}, 1000).abs().add(1);
    const at::Tensor y = net.logits(none, x, {true, 0, seed, step});
    CHECK(y.equal(net.logits(none, x.contiguous(at::MemoryFormat::ChannelsLast), {true, 0, seed, step})));
    const at::Tensor rows = y.movedim(1, 3).flatten(), given = x.movedim(1, 3).flatten();
    for (std::uint32_t i = 0; i < 720; ++i) {
        const std::uint32_t word = philox({i / 4, 0, step, 3u << 24 | 1}, {seed, 0})[i % 4];  // of the layer at position 1
        const double expected = word < 0.3 * 0x1p32 ? 0 : given[i].item<double>() / 0.7;
        REQUIRE(rows[i].item<double>() == Approx(expected).epsilon(1e-6));
    }
}

TEST_CASE("in bf16 dropout gives bf16, each element divided and then rounded once") {
    const at::Tensor x = arbitrary({40, 50}, 1000).abs().add(1).to(at::kBFloat16);
    const LayerPass pass{true, Stream(1, Purpose::Dropout), Stream(1, Purpose::Augmentation), Precision::Bf16};
    const at::Tensor y = apply(Dropout{0.1}, x, {}, pass);
    CHECK(y.scalar_type() == at::kBFloat16);
    const at::Tensor kept = y.ne(0), exact = x.to(at::kFloat) * static_cast<float>(1 / 0.9);
    CHECK(kept.sum().item<double>() / 2000 == Approx(0.9).margin(0.03));
    CHECK(y.equal((exact * kept).to(at::kBFloat16)));
}

TEST_CASE("augmentation leaves samples alone when not training, and then it depends on seed, step, layer and sample") {
    const auto layers = GENERATE("[random_flip]", "[{random_flip: horizontal}]", "[{random_crop: 1}]");
    INFO(layers);
    const Net net(network_of(layers), {2, 4, 5});
    Weights none;
    const at::Tensor x = arbitrary({30, 2, 4, 5}, 1000);
    const auto pass = [&](std::int64_t seed, std::int64_t step) { return net.logits(none, x, {true, 0, seed, step}); };
    CHECK(pass(1, 5).equal(pass(1, 5)));
    CHECK(!pass(1, 5).equal(pass(1, 6)));
    CHECK(!pass(1, 5).equal(pass(2, 5)));
    CHECK(net.logits(none, x, {}).equal(x));
    CHECK(net.logits(none, x, {true, 1, 1, 5}).equal(x));  // frozen
    CHECK(net.logits(none, x.narrow(0, 0, 7), {true, 0, 1, 5}).equal(pass(1, 5).narrow(0, 0, 7)));
    const Net second(network_of("[relu, " + std::string(layers).substr(1)), {2, 4, 5});
    CHECK(!second.logits(none, x.abs(), {true, 0, 1, 5}).equal(net.logits(none, x.abs(), {true, 0, 1, 5})));
}

TEST_CASE("random_flip mirrors about half of the samples, in each direction that its mode names") {
    const auto [mode, rows, columns] = GENERATE(table<std::string, bool, bool>(
        {{"horizontal", false, true}, {"vertical", true, false}, {"horizontal_and_vertical", true, true}}));
    const Net net(network_of("[{random_flip: " + mode + "}]"), {2, 3, 4});
    Weights none;
    const at::Tensor x = arbitrary({400, 2, 3, 4}, 1000);
    const at::Tensor y = net.logits(none, x, {.training = true, .seed = 1, .step = 5});
    std::array<int, 4> times{};
    for (std::int64_t i = 0; i < 400; ++i) {
        const std::vector<at::Tensor> possible{x[i], x[i].flip(2), x[i].flip(1), x[i].flip({1, 2})};
        const auto found = std::ranges::find_if(possible, [&](const at::Tensor& one) { return one.equal(y[i]); });
        REQUIRE(found != possible.end());
        ++times[static_cast<std::size_t>(found - possible.begin())];
    }
    for (std::size_t i = 0; i < times.size(); ++i) {
        const bool may_be = (rows || i < 2) && (columns || i % 2 == 0);
        CHECK(std::abs(times[i] - (!may_be ? 0 : rows && columns ? 100 : 200)) <= (may_be ? 40 : 0));
    }
}

TEST_CASE("random_crop moves each sample by up to its padding, every distance alike, and fills with zeros") {
    const Net net(network_of("[{random_crop: 2}]"), {1, 7, 6});
    Weights none;
    at::Tensor x = at::zeros({1000, 1, 7, 6}, at::kDouble);
    x.select(2, 3).select(2, 2).fill_(1);  // the pixel in row 3, column 2
    x.select(2, 0).select(2, 5).fill_(5);
    const at::Tensor y = net.logits(none, x, {.training = true, .seed = 1, .step = 5});
    CHECK(y.sizes() == x.sizes());
    std::array<std::array<int, 5>, 5> times{};
    for (std::int64_t i = 0; i < 1000; ++i) {
        const at::Tensor places = y[i][0].eq(1).nonzero();
        REQUIRE(places.size(0) == 1);
        const std::int64_t down = places[0][0].item<std::int64_t>() - 3;
        const std::int64_t right = places[0][1].item<std::int64_t>() - 2;
        CHECK(y[i].sum().item<double>() == (down >= 0 && right <= 0 ? 6 : 1));
        ++times.at(static_cast<std::size_t>(down + 2)).at(static_cast<std::size_t>(right + 2));
    }
    for (const auto& row : times)
        for (const int count : row) CHECK(std::abs(count - 40) < 30);
}

TEST_CASE("the gradient of every layer is what small differences say") {
    const auto [layers, input] = GENERATE(table<std::string, Shape>({
        {"[{dense: 3}]", {4}},
        {"[{dense: 3, activation: tanh}, {dense: 2, activation: sigmoid}]", {4}},
        {"[{dense: 3, activation: softmax}, {dense: 2}]", {4}},
        {"[{dense: 5, activation: leaky_relu}, relu, tanh, {dense: 2}]", {4}},
        {"[{dense: 4}, batch_norm, {dense: 2}]", {3}},
        {"[{conv: 2}, {conv: 3, kernel: 2, stride: 2, activation: tanh}]", {2, 5, 4}},
        {"[{conv: 2, padding: valid, bias: false}, batch_norm, sigmoid]", {1, 5, 5}},
        {"[{conv: 2, activation: relu}, max_pool, {conv: 1}]", {1, 4, 4}},
        {"[{conv: 2}, {average_pool: 2}, upsample, flatten, {dense: 2}]", {1, 4, 4}},
        {"[{dense: 6}, {dropout: 0.4}, {dense: 2}]", {3}},
        {"[{dense: 5, activation: gelu}, {dense: 3}, gelu, layer_norm, {dense: 2}]", {4}},
        {"[{conv: 3}, layer_norm, {conv: 2, activation: gelu}, global_average_pool, {dense: 2}]", {2, 4, 3}},
        {"[{conv: 2}, random_flip, {random_crop: 2}, {conv: 2}]", {1, 4, 3}},
    }));
    INFO(layers);
    const Net net(network_of(layers), input);
    Weights weights = arbitrary_weights(net);
    Shape batch = input;
    batch.insert(batch.begin(), 3);
    const at::Tensor x = arbitrary(batch, 1000);
    const Pass pass{.training = true, .seed = 1, .step = 2};
    const auto value = [&] {
        const at::Tensor y = net.logits(weights, x, pass);
        return (y * arbitrary(y.sizes(), 1001)).sum();
    };
    for (std::size_t i = 0; i < weights.size(); ++i) weights[i].set_requires_grad(net.tensors()[i].trainable());
    for (std::size_t i = 0; i < weights.size(); ++i) {
        if (!net.tensors()[i].trainable()) continue;
        INFO(net.tensors()[i].name);
        const at::Tensor gradient = torch::autograd::grad({value()}, {weights[i]})[0].contiguous().flatten();
        const at::NoGradGuard no_grad;
        const at::Tensor original = weights[i].clone();
        for (std::int64_t element = 0; element < gradient.numel(); ++element) {
            constexpr double kStep = 1e-5;
            at::Tensor direction = at::zeros({gradient.numel()}, at::kDouble);
            direction[element] = kStep;
            direction = direction.view(weights[i].sizes());
            weights[i].copy_(original + direction);
            const double above = value().item<double>();
            weights[i].copy_(original - direction);
            const double below = value().item<double>();
            weights[i].copy_(original);
            CHECK(gradient[element].item<double>() == Approx((above - below) / (2 * kStep)).margin(1e-7).epsilon(1e-6));
        }
    }
}

TEST_CASE("Keras' initialiser: kernels uniform within Glorot's limit, biases zero") {
    const Net net(network_of("[{conv: 64}, batch_norm, {conv: 32}, flatten, {dense: 10}]"), {3, 4, 4});
    Weights weights = net.blank_weights();
    initialise(net, Initialiser::Keras, 7, 0, weights);
    for (std::size_t i = 0; i < weights.size(); ++i) {
        const TensorSpec& spec = net.tensors()[i];
        INFO(spec.name);
        if (spec.role == TensorRole::Bias || spec.role == TensorRole::Offset || spec.role == TensorRole::MovingMean) {
            CHECK(weights[i].abs().max().item<double>() == 0);
        } else if (spec.role == TensorRole::Scale || spec.role == TensorRole::MovingVariance) {
            CHECK(weights[i].eq(1).all().item<bool>());
        } else {
            const double limit = std::sqrt(6.0 / static_cast<double>(spec.fan_in + spec.fan_out));
            CHECK(weights[i].abs().max().item<double>() == Approx(limit).epsilon(0.01));
            CHECK(weights[i].abs().max().item<double>() <= limit * 1.000001);
            CHECK(weights[i].mean().item<double>() == Approx(0).margin(limit * 0.06));
            CHECK(weights[i].pow(2).mean().item<double>() == Approx(limit * limit / 3).epsilon(0.06));
        }
    }
    CHECK(net.tensors()[0].fan_in == 27);
    CHECK(net.tensors()[0].fan_out == 576);
}

TEST_CASE("PyTorch's initialiser: kernels and biases uniform within 1 / sqrt(fan_in)") {
    const Net net(network_of("[{dense: 400}]"), {100});
    Weights weights = net.blank_weights();
    initialise(net, Initialiser::Torch, 7, 0, weights);
    for (const at::Tensor& tensor : weights) {
        CHECK(tensor.abs().max().item<double>() == Approx(0.1).epsilon(0.02));
        CHECK(tensor.pow(2).mean().item<double>() == Approx(0.01 / 3).epsilon(0.15));
    }
}

TEST_CASE("initial weights depend on the seed and the layer's position, not on what follows") {
    const auto first_kernel = [](const std::string& layers, std::int64_t seed) {
        const Net net(network_of(layers), {4});
        Weights weights = net.blank_weights();
        initialise(net, Initialiser::Keras, seed, 0, weights);
        return weights[0];
    };
    CHECK(first_kernel("[{dense: 3}]", 1).equal(first_kernel("[{dense: 3}, {dense: 2}]", 1)));
    CHECK(!first_kernel("[{dense: 3}]", 1).equal(first_kernel("[{dense: 3}]", 2)));
}

TEST_CASE("convolutions' weights lie channels-last in memory and are handed on in C order") {
    const Net net(network_of("[{conv: 2, kernel: 2, bias: false}]"), {3, 4, 4});
    Weights weights = net.blank_weights();
    CHECK(weights[0].is_contiguous(at::MemoryFormat::ChannelsLast));
    weights[0].copy_(at::arange(24, at::kFloat).view({2, 3, 2, 2}));
    const Array array = net.arrays_from(weights).at("conv_1.weight");
    CHECK(array.shape() == Shape{2, 3, 2, 2});
    CHECK(array.values<float>()[5] == 5);
    const std::map<std::string, Array> arrays{{"conv_1.weight", array}};
    CHECK(net.weights_from(arrays)[0].equal(weights[0]));
    CHECK_THROWS_WITH(net.weights_from({}), Contains("no tensor 'conv_1.weight'"));
    const std::map<std::string, Array> other{{"conv_1.weight", satdl::stages::array<float>({1}, {1})}};
    CHECK_THROWS_WITH(net.weights_from(other), Contains("float32 [1]") && Contains("[2, 3, 2, 2]"));
}

TEST_CASE("a layer that is asked for and not there is named") {
    const Net net(network_of("[{dense: 3, name: hidden}, {dense: 2}]"), {4});
    CHECK(net.position("hidden") == 0);
    CHECK_THROWS_WITH(net.position("hiden"), Contains("no layer 'hiden'") && Contains("hidden"));
    CHECK_THROWS_AS(Net(network_of("[{dense: 3}]"), Shape{1, 2, 2}), Error);
}
