#include "stages/convolution.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "stages/initialise.h"
#include "stages/kernels/one_channel.h"
#include "stages/kernels/winograd.h"
#include "stages/tensor.h"
#include "stages/torch_network.h"
#include "torch_test.h"

using namespace satdl;
using namespace satdl::stages;

namespace {

// Numbers in [-1, 1) without pattern.
at::Tensor arbitrary(at::IntArrayRef shape, std::uint32_t index) {
    at::Tensor tensor = at::empty(shape, at::kFloat);
    const Stream stream(99, Purpose::Weights, index);
    for (std::int64_t i = 0; i < tensor.numel(); ++i)
        tensor.data_ptr<float>()[i] = static_cast<float>(2 * stream.uniform(static_cast<std::uint64_t>(i)) - 1);
    return tensor;
}

at::Tensor image(at::IntArrayRef shape, std::uint32_t index) {
    return arbitrary(shape, index).contiguous(at::MemoryFormat::ChannelsLast);
}

// The largest error over the largest entry.
double error_of(const at::Tensor& found, const at::Tensor& exact) {
    REQUIRE(found.sizes() == exact.sizes());
    return ((found.to(at::kDouble) - exact).abs().max() / exact.abs().max().clamp_min(1e-30)).item<double>();
}

struct Shapes {
    std::int64_t images, height, width, inputs, outputs;
    std::int64_t kernel = 3, stride = 1, padding = 1;
};

// What a convolution reads, and the gradient of what it gives.
struct Case {
    at::Tensor x, weight, bias, dy;
};
Case case_of(const Shapes& shapes) {
    const auto out = [&](std::int64_t extent) { return (extent + 2 * shapes.padding - shapes.kernel) / shapes.stride + 1; };
    return {image({shapes.images, shapes.inputs, shapes.height, shapes.width}, 1),
            image({shapes.outputs, shapes.inputs, shapes.kernel, shapes.kernel}, 2), arbitrary({shapes.outputs}, 3),
            image({shapes.images, shapes.outputs, out(shapes.height), out(shapes.width)}, 4)};
}

ConvolutionOptions options_of(const Shapes& shapes, bool relu = false) {
    return {shapes.stride, {shapes.padding, shapes.padding}, relu, ConvolutionMethod::Auto};
}

// y and the gradients of x, weight and bias.
template <typename Forward>
std::vector<at::Tensor> both_ways(const Case& with, at::ScalarType type, const Forward& forward) {
    const auto input = [&](const at::Tensor& tensor) { return tensor.to(type).detach().requires_grad_(true); };
    const std::vector<at::Tensor> inputs{input(with.x), input(with.weight), input(with.bias)};
    std::vector<at::Tensor> result{forward(inputs[0], inputs[1], inputs[2])};
    for (at::Tensor& gradient : torch::autograd::grad({result[0]}, inputs, {with.dy.to(type)}))
        result.push_back(std::move(gradient));
    result[0] = result[0].detach();
    return result;
}

std::vector<at::Tensor> ours(const Shapes& shapes, const Case& with) {
    return both_ways(with, at::kFloat, [&](const auto& x, const auto& weight, const auto& bias) {
        return convolution(options_of(shapes), x, weight, bias);
    });
}
std::vector<at::Tensor> of_libtorch(const Shapes& shapes, const Case& with, at::ScalarType type) {
    return both_ways(with, type, [&](const auto& x, const auto& weight, const auto& bias) {
        return at::conv2d(x, weight, bias, shapes.stride, shapes.padding);
    });
}

bool same_bytes(const at::Tensor& a, const at::Tensor& b) {
    const at::Tensor one = a.contiguous(), other = b.contiguous();
    return one.sizes() == other.sizes() && std::memcmp(one.data_ptr(), other.data_ptr(), one.nbytes()) == 0;
}

// The levels of this machine that have loops of their own.
std::vector<kernels::CpuLevel> levels() {
    std::vector<kernels::CpuLevel> all{kernels::CpuLevel::Avx2, kernels::CpuLevel::Avx512};
    std::erase_if(all, [](kernels::CpuLevel level) { return level > kernels::cpu_level(); });
    return all;
}

}  // namespace

TEST_CASE("convolutions and their gradients are those of float64, at every shape") {
    const auto shapes = GENERATE(values<Shapes>({
        {1, 1, 1, 32, 32},
        {1, 1, 7, 32, 48},
        {3, 5, 7, 32, 48},
        {2, 4, 4, 64, 32},
        {1, 13, 11, 32, 32},
        {5, 7, 7, 256, 32},
        {2, 9, 3, 48, 256},
        {17, 7, 7, 64, 64},
        {4, 3, 2, 128, 272},
        {1, 31, 29, 32, 80},  // Winograd
        {1, 1, 1, 1, 32},
        {3, 5, 7, 1, 16},
        {2, 6, 5, 32, 1},
        {1, 7, 7, 256, 1},
        {19, 4, 1, 1, 48},
        {18, 1, 3, 16, 1},  // one channel
        {2, 5, 7, 8, 8},
        {3, 7, 5, 7, 13},
        {2, 6, 6, 1, 1},
        {9, 6, 5, 17, 31},
        {11, 3, 3, 8, 1},  // LibTorch
        {5, 9, 8, 32, 32, 5, 1, 2},
        {10, 8, 9, 32, 32, 3, 2, 1},
        {3, 8, 7, 32, 64, 3, 1, 0},
        {4, 5, 6, 32, 32, 1, 1, 0},
    }));
    INFO(shapes.images << " x " << shapes.height << " x " << shapes.width << ", " << shapes.inputs << " -> " << shapes.outputs);
    const Case with = case_of(shapes);
    const std::vector<at::Tensor> found = ours(shapes, with), exact = of_libtorch(shapes, with, at::kDouble);
    for (std::size_t i = 0; i < exact.size(); ++i) CHECK(error_of(found[i], exact[i]) < 2e-5);
}

TEST_CASE("the weights' gradient is exact to 5e-6 of its largest entry over many pixels") {
    const auto shapes =
        GENERATE(values<Shapes>({{16, 28, 28, 32, 32}, {32, 14, 14, 64, 64}, {32, 7, 7, 128, 64}, {32, 14, 14, 1, 32}}));
    const Case with = case_of(shapes);
    CHECK(error_of(ours(shapes, with)[2], of_libtorch(shapes, with, at::kDouble)[2]) < 5e-6);
}

TEST_CASE("a sample's output depends on that sample alone, and on no number of threads") {
    const auto shapes = GENERATE(values<Shapes>({{9, 7, 6, 32, 64}, {7, 5, 5, 1, 32}, {7, 5, 5, 32, 1}}));
    const Case with = case_of(shapes);
    const at::Tensor together = convolution(options_of(shapes), with.x, with.weight, with.bias);
    for (const int threads : {1, 3, 8}) {
        const KernelThreadScope scope(threads);
        for (std::int64_t i = 0; i < shapes.images; ++i)
            CHECK(same_bytes(convolution(options_of(shapes), with.x.narrow(0, i, 1), with.weight, with.bias),
                             together.narrow(0, i, 1)));
    }
}

TEST_CASE("our kernels give the same bytes at every level of vector instructions") {
    const auto shapes = GENERATE(values<Shapes>({{9, 7, 6, 32, 64}, {3, 6, 7, 80, 32}, {17, 5, 5, 1, 48}, {17, 5, 5, 48, 1}}));
    const Case with = case_of(shapes);
    const kernels::ConvShape shape{shapes.images, shapes.height, shapes.width, shapes.inputs, shapes.outputs};
    const kernels::Workers workers = kernel_workers();
    std::optional<std::vector<at::Tensor>> before;
    for (const kernels::CpuLevel level : levels()) {
        std::vector<at::Tensor> scratch;
        const kernels::Scratch take = [&](std::int64_t floats) {
            return scratch.emplace_back(at::empty({floats}, at::kFloat)).data_ptr<float>();
        };
        const at::Tensor y = at::empty_like(with.dy), dx = at::empty_like(with.x), dweight = at::empty_like(with.weight);
        const auto *x = with.x.data_ptr<float>(), *dy = with.dy.data_ptr<float>(), *weight = with.weight.data_ptr<float>();
        if (kernels::winograd_takes(shapes.inputs, shapes.outputs)) {
            const kernels::Winograd winograd(*kernels::winograd_loops(level), shape, workers);
            winograd.forward(x, weight, with.bias.data_ptr<float>(), true, y.data_ptr<float>(), take);
            winograd.data_gradient(dy, weight, dx.data_ptr<float>(), take);
            winograd.weight_gradient(x, dy, dweight.data_ptr<float>(), take);
        } else {
            const kernels::OneChannel one_channel(*kernels::one_channel_loops(level), shape, workers);
            one_channel.forward(x, weight, with.bias.data_ptr<float>(), true, y.data_ptr<float>());
            one_channel.data_gradient(dy, weight, dx.data_ptr<float>());
            one_channel.weight_gradient(x, dy, dweight.data_ptr<float>());
        }
        const std::vector<at::Tensor> results{y, dx, dweight};
        if (before)
            for (std::size_t i = 0; i < results.size(); ++i) CHECK(same_bytes(results[i], (*before)[i]));
        before = results;
    }
}

TEST_CASE("`convolution: direct` is LibTorch's convolution, to the last bit") {
    const Shapes shapes{4, 7, 7, 32, 32};
    const Case with = case_of(shapes);
    ConvolutionOptions options = options_of(shapes);
    options.method = ConvolutionMethod::Direct;
    const auto found = both_ways(with, at::kFloat, [&](const auto& x, const auto& weight, const auto& bias) {
        return convolution(options, x, weight, bias);
    });
    const auto wanted = of_libtorch(shapes, with, at::kFloat);
    CHECK(same_bytes(found[0], wanted[0]));
    CHECK(same_bytes(found[1], wanted[1]));
    CHECK(error_of(found[2], wanted[2].to(at::kDouble)) < 1e-5);  // added by parts of the images
    if (kernels::winograd_loops(kernels::cpu_level()) != nullptr) CHECK(!same_bytes(ours(shapes, with)[0], wanted[0]));
}

TEST_CASE("convolution, ReLU and batch norm as one are the three one after another, in float64") {
    const auto [shapes, relu] = GENERATE(table<Shapes, bool>({{{5, 7, 6, 32, 48}, true},
                                                              {{5, 7, 6, 32, 48}, false},
                                                              {{6, 5, 5, 3, 5}, true},
                                                              {{300, 2, 2, 1, 16}, true},
                                                              {{2, 3, 2, 4, 1}, false}}));
    INFO(shapes.inputs << " -> " << shapes.outputs << ", relu " << relu);
    Case with = case_of(shapes);
    const BatchNorm norm{0.9, 1e-3};
    const auto channels = [&](std::uint32_t index) { return arbitrary({shapes.outputs}, index); };
    std::vector<at::Tensor> tensors{channels(5), channels(6), channels(7), channels(8).abs()};
    const at::Tensor moving_mean = tensors[2].to(at::kDouble), moving_variance = tensors[3].to(at::kDouble);
    const at::Tensor scale = tensors[0].to(at::kDouble).requires_grad_(true),
                     offset = tensors[1].to(at::kDouble).requires_grad_(true);
    for (const std::size_t i : {0, 1}) tensors[i].requires_grad_(true);

    const auto input = [](const at::Tensor& tensor, at::ScalarType type) {
        return tensor.to(type).detach().requires_grad_(true);
    };
    const std::vector<at::Tensor> exact_inputs{input(with.x, at::kDouble), input(with.weight, at::kDouble),
                                               input(with.bias, at::kDouble), scale, offset};
    at::Tensor z = at::conv2d(exact_inputs[0], exact_inputs[1], exact_inputs[2], 1, 1);
    if (relu) z = z.relu();
    const at::Tensor mean = z.mean({0, 2, 3}), variance = z.var({0, 2, 3}, false);
    const auto by_channel = [](const at::Tensor& tensor) { return tensor.view({1, -1, 1, 1}); };
    const at::Tensor exact =
        (z - by_channel(mean)) / (by_channel(variance) + norm.epsilon).sqrt() * by_channel(scale) + by_channel(offset);

    std::vector<at::Tensor> inputs{input(with.x, at::kFloat), input(with.weight, at::kFloat), input(with.bias, at::kFloat),
                                   tensors[0], tensors[1]};
    const at::Tensor y = convolution_batch_norm(options_of(shapes, relu), inputs[0], inputs[1], inputs[2], norm, tensors);
    CHECK(error_of(y.detach(), exact.detach()) < 4e-5);
    CHECK(error_of(tensors[2], moving_mean * 0.9 + mean.detach() * 0.1) < 1e-5);
    CHECK(error_of(tensors[3], moving_variance * 0.9 + variance.detach() * 0.1) < 1e-5);
    const auto found = torch::autograd::grad({y}, inputs, {with.dy}),
               wanted = torch::autograd::grad({exact}, exact_inputs, {with.dy.to(at::kDouble)});
    for (std::size_t i = 0; i < found.size(); ++i) {
        INFO("gradient " << i);
        if (!relu && i == 2)
            CHECK(found[i].abs().max().item<double>() < 1e-3);  // batch norm takes the mean, and with it the bias, away
        else
            CHECK(error_of(found[i], wanted[i]) < 2e-4);
    }
}

TEST_CASE("batch norm of numbers far from 0 is exact, and constant channels give the offset") {
    const BatchNorm norm{0.5, 1e-3};
    const at::Tensor x = arbitrary({1000, 3}, 1) * 0.1 + 1000;
    x.select(1, 1).fill_(7);
    std::vector<at::Tensor> tensors{at::ones({3}), at::full({3}, 2.0f), at::zeros({3}), at::ones({3})};
    const at::Tensor exact = x.to(at::kDouble), mean = exact.mean(0), variance = exact.var(0, false);
    const at::Tensor y = batch_norm_of_batch(norm, x, tensors);
    CHECK((y.to(at::kDouble) - ((exact - mean) / (variance + 1e-3).sqrt() + 2)).abs().max().item<double>() < 1e-3);
    CHECK(y.select(1, 1).eq(2).all().item<bool>());
    CHECK((tensors[3].to(at::kDouble) - (variance * 0.5 + 0.5)).abs().max().item<double>() < 1e-6);
    CHECK((batch_norm_of_moving(norm, x, tensors).to(at::kDouble) -
           ((exact - tensors[2].to(at::kDouble)) / (tensors[3].to(at::kDouble) + 1e-3).sqrt() + 2))
              .abs()
              .max()
              .item<double>() < 1e-3);
}

TEST_CASE("outputs and gradients of networks have the same bytes with every number of threads") {
    const auto [layers, input] = GENERATE(table<std::string, Shape>({
        {"[{conv: 32, activation: relu}, batch_norm, {conv: 48, activation: relu}, batch_norm, max_pool, {conv: 32}, batch_norm, "
         "upsample, "
         "{dropout: 0.3}, {conv: 1}]",
         {1, 10, 6}},
        {"[{conv: 32, activation: relu}, {conv: 32, activation: leaky_relu}, average_pool, {conv: 32, bias: false}]", {32, 9, 9}},
        {"[{conv: 8, kernel: 5, activation: relu}, {conv: 7, stride: 2}, batch_norm, {conv: 5, padding: valid, bias: false}, "
         "relu]",
         {3, 13, 13}},
        {"[random_flip, {random_crop: 1}, {conv: 16, activation: relu}, {conv: 6, activation: gelu}, global_average_pool]",
         {1, 6, 6}},
        {"[flatten, batch_norm, {unflatten: {channels: 4, height: 4, width: 4}}, {conv: 4, activation: relu}, flatten]",
         {1, 8, 8}},
    }));
    INFO(layers);
    const Net net(network_of(layers), input);
    Shape batch = input;
    batch.insert(batch.begin(), 37);
    const at::Tensor x = arbitrary(batch, 1);
    const auto run = [&](int threads) {
        const KernelThreadScope scope(threads);
        Weights weights = net.blank_weights();
        initialise(net, Initialiser::Keras, 7, 0, weights);
        std::vector<at::Tensor> trained;
        for (std::size_t i = 0; i < weights.size(); ++i)
            if (net.tensors()[i].trainable()) trained.push_back(weights[i].set_requires_grad(true));
        const at::Tensor y = net.logits(weights, x, {.training = true, .seed = 3, .step = 5});
        std::vector<at::Tensor> results = torch::autograd::grad({y}, trained, {arbitrary(y.sizes(), 2)});
        results.push_back(y.detach());
        const at::NoGradGuard no_grad;
        for (const at::Tensor& tensor : weights) results.push_back(tensor.detach());
        results.push_back(net.features(weights, x, net.network().layers.size() - 1));
        return results;
    };
    const std::vector<at::Tensor> alone = run(1);
    for (const int threads : {2, 3, 5, 8}) {
        const std::vector<at::Tensor> together = run(threads);
        for (std::size_t i = 0; i < alone.size(); ++i) {
            INFO(threads << " threads, tensor " << i);
            CHECK(same_bytes(together[i], alone[i]));
        }
    }
}

TEST_CASE("a frozen convolution gets no gradient, and its batch norm keeps its statistics") {
    const Net net(network_of("[{conv: 32, activation: relu}, batch_norm, {conv: 32, activation: relu}, batch_norm]"), {1, 6, 6});
    Weights weights = net.blank_weights();
    initialise(net, Initialiser::Keras, 7, 0, weights);
    const std::size_t half = weights.size() / 2;
    std::vector<at::Tensor> trained, before;
    for (std::size_t i = 0; i < weights.size(); ++i) {
        before.push_back(weights[i].clone());
        if (i >= half && net.tensors()[i].trainable()) trained.push_back(weights[i].set_requires_grad(true));
    }
    const at::Tensor x = arbitrary({4, 1, 6, 6}, 1);
    const at::Tensor y = net.logits(weights, x, {.training = true, .frozen_layers = 2});
    CHECK(torch::autograd::grad({y}, trained, {y.detach()}).size() == trained.size());
    for (std::size_t i = 0; i < half; ++i) CHECK(same_bytes(weights[i], before[i]));
    CHECK(!same_bytes(weights.back().detach(), before.back()));
}
