// The convolutions of M1, each by LibTorch (`convolution: direct`) and as `auto` computes it, in turn: milliseconds of forward,
// the data's gradient and the weights' gradient, medians, and each one's largest error over the largest entry of the exact
// result, in float64.
//
// usage: convolution_bench THREADS ROUNDS
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <vector>

#include "pipeline/core/check.h"
#include "stages/convolution.h"
#include "stages/tensor.h"
#include "stages/tensor_memory.h"

namespace {

using namespace satdl::stages;
using Clock = std::chrono::steady_clock;

constexpr std::int64_t kBatch = 128;
constexpr std::array<const char*, 3> kNames{"forward", "data gradient", "weights' gradient"};

struct Layer {
    std::int64_t extent, inputs, outputs;  // 3 x 3 weights over extent x extent pixels
};
constexpr std::array<Layer, 12> kLayers{{{28, 1, 32},
                                         {28, 32, 32},
                                         {14, 32, 64},
                                         {14, 64, 64},
                                         {7, 64, 128},
                                         {7, 128, 128},
                                         {7, 128, 256},
                                         {7, 256, 256},
                                         {7, 256, 128},
                                         {7, 128, 64},
                                         {14, 64, 32},
                                         {28, 32, 1}}};

// As in a training: what a ReLU gave, weights of Glorot's size.
struct Data {
    explicit Data(const Layer& layer)
        : x(image(at::randn({kBatch, layer.inputs, layer.extent, layer.extent}).clamp_min(0))),
          weight(image(at::randn({layer.outputs, layer.inputs, 3, 3}) / std::sqrt(9.0 * static_cast<double>(layer.inputs)))),
          dy(image(at::randn({kBatch, layer.outputs, layer.extent, layer.extent}))) {}
    static at::Tensor image(const at::Tensor& tensor) { return tensor.contiguous(at::MemoryFormat::ChannelsLast); }
    at::Tensor x, weight, dy;
};

using Results = std::array<at::Tensor, 3>;

Results compute(const Data& data, at::ScalarType type, ConvolutionMethod method, std::array<double, 3>& milliseconds) {
    at::Tensor x = data.x.to(type).set_requires_grad(true), weight = data.weight.to(type).set_requires_grad(true);
    Results results;
    const auto timed = [&](std::size_t which, const std::function<at::Tensor()>& body) {
        const auto start = Clock::now();
        results[which] = body();
        milliseconds[which] = std::chrono::duration<double, std::milli>(Clock::now() - start).count();
    };
    at::Tensor y;
    timed(0, [&] {
        y = is_float_on_cpu(x) ? convolution({1, {1, 1}, false, method}, x, weight, {}) : at::conv2d(x, weight, {}, 1, 1);
        return y.detach();
    });
    const at::Tensor dy = data.dy.to(type);
    timed(1, [&] { return torch::autograd::grad({y}, {x}, {dy}, true)[0]; });
    timed(2, [&] { return torch::autograd::grad({y}, {weight}, {dy})[0]; });
    return results;
}

double error_of(const at::Tensor& found, const at::Tensor& exact) {
    return ((found.to(at::kDouble) - exact).abs().max() / exact.abs().max()).item<double>();
}

double median(std::vector<double> values) {
    std::ranges::nth_element(values, values.begin() + std::ssize(values) / 2);
    return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
    SATDL_CHECK(argc == 3, "usage: convolution_bench THREADS ROUNDS");
    const TensorMemory memory;
    const KernelThreadScope threads(std::atoi(argv[1]));
    at::manual_seed(1);
    std::array<std::array<double, 2>, 3> sums{};
    for (const Layer& layer : kLayers) {
        const Data data(layer);
        std::array<double, 3> once{};
        const Results exact = compute(data, at::kDouble, ConvolutionMethod::Direct, once);
        std::array<std::array<double, 3>, 2> errors{};
        std::array<std::array<std::vector<double>, 3>, 2> taken;
        for (int round = -1; round < std::atoi(argv[2]); ++round)
            for (const std::size_t way : {0, 1}) {
                const Results found =
                    compute(data, at::kFloat, way == 0 ? ConvolutionMethod::Direct : ConvolutionMethod::Auto, once);
                for (std::size_t i = 0; i < kNames.size(); ++i) {
                    errors[way][i] = error_of(found[i], exact[i]);
                    if (round >= 0) taken[way][i].push_back(once[i]);
                }
            }
        std::printf("%2ld px %3ld -> %3ld", static_cast<long>(layer.extent), static_cast<long>(layer.inputs),
                    static_cast<long>(layer.outputs));
        for (std::size_t i = 0; i < kNames.size(); ++i) {
            const double direct = median(taken[0][i]), chosen = median(taken[1][i]);
            sums[i][0] += direct;
            sums[i][1] += chosen;
            std::printf(" | %s %6.2f -> %6.2f ms, error %.0e -> %.0e", kNames[i], direct, chosen, errors[0][i], errors[1][i]);
        }
        std::printf("\n");
    }
    for (std::size_t i = 0; i < kNames.size(); ++i)
        std::printf("%s: %.1f -> %.1f ms, %.2fx\n", kNames[i], sums[i][0], sums[i][1], sums[i][1] / sums[i][0]);
}
