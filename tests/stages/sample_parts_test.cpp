// What is computed in parts is what LibTorch makes of the whole: outputs and gradients, in float64 and float32.
#include "stages/sample_parts.h"

#include "stages/kernels/cpu_level.h"
#include "stages/linear.h"
#include "stages/pooling.h"
#include "stages/tensor.h"
#include "torch_test.h"

using namespace satdl;
using namespace satdl::stages;

namespace {

at::Tensor arbitrary(at::IntArrayRef shape, double phase) {
    std::int64_t count = 1;
    for (const std::int64_t extent : shape) count *= extent;
    return (at::arange(count, at::kDouble) * 0.7 + phase).sin().view(shape);
}

using Inputs = std::vector<at::Tensor>;

// The output and the gradients of all inputs.
std::vector<at::Tensor> both_ways(const Inputs& inputs, at::ScalarType type,
                                  const std::function<at::Tensor(const Inputs&)>& function) {
    Inputs leaves;
    for (const at::Tensor& input : inputs) leaves.push_back(input.to(type, false, true).requires_grad_(true));
    const at::Tensor y = function(leaves);
    std::vector<at::Tensor> results = torch::autograd::grad({y}, leaves, {arbitrary(y.sizes(), 0.3).to(type)});
    results.push_back(y.detach());
    return results;
}

void check_near(const std::vector<at::Tensor>& found, const std::vector<at::Tensor>& exact, double bound) {
    REQUIRE(found.size() == exact.size());
    for (std::size_t i = 0; i < exact.size(); ++i) {
        INFO("tensor " << i);
        REQUIRE(found[i].sizes() == exact[i].sizes());
        CHECK((found[i].to(at::kDouble) - exact[i]).abs().max().item<double>() <=
              bound * exact[i].abs().max().item<double>());
    }
}

}  // namespace

TEST_CASE("a function of samples and weights, in parts, has the outputs and gradients of the whole") {
    const KernelThreadScope threads(3);
    const Inputs inputs{arbitrary({19, 3, 5, 7}, 0), arbitrary({3}, 1), arbitrary({3}, 2)};
    const auto layer = [](const at::Tensor& x, std::span<const at::Tensor> weights, std::int64_t) {
        return at::layer_norm(x.movedim(1, -1), {3}, weights[0], weights[1]).movedim(-1, 1);
    };
    const auto exact =
        both_ways(inputs, at::kDouble, [&](const Inputs& of) { return layer(of[0], std::span(of).subspan(1), 0); });
    for (const std::int64_t work : {1, 1 << 17, 1 << 30})
        check_near(
            both_ways(inputs, at::kDouble, [&](const Inputs& of) { return in_parts(of[0], {of[1], of[2]}, work, layer); }),
            exact, 1e-12);
}

TEST_CASE("a part is told where it begins, and what is not differentiated has no gradient") {
    const at::Tensor x = arbitrary({10, 4}, 0);
    const at::Tensor y = in_parts(x, {}, 1 << 30, [&](const at::Tensor& some, auto, std::int64_t first) {
        CHECK(!some.requires_grad());
        return some - x.narrow(0, first, some.size(0));
    });
    CHECK(y.abs().max().item<double>() == 0);
    CHECK(!y.requires_grad());
    const at::Tensor weight = arbitrary({4}, 1).requires_grad_(true);
    const at::Tensor z =
        in_parts(x, {weight}, 1 << 30, [](const at::Tensor& some, auto weights, auto) { return some * weights[0]; });
    CHECK(torch::autograd::grad({z.sum()}, {weight})[0].allclose(x.sum(0)));
}

TEST_CASE("an error within a part is thrown to the caller") {
    const KernelThreadScope threads(2);
    CHECK_THROWS_AS(in_parts(arbitrary({10, 4}, 0), {}, 1 << 30,
                             [](const at::Tensor&, auto, std::int64_t first) -> at::Tensor {
                                 throw std::runtime_error(std::to_string(first));
                             }),
                    std::runtime_error);
}

TEST_CASE("parts follow from the work, not from threads, samples limit them") {
    for (const int threads : {1, 8}) {
        const KernelThreadScope scope(threads);
        CHECK(parts_of(100, 0) == 1);
        CHECK(parts_of(100, 5 << 16) == 5);
        CHECK(parts_of(100, 1 << 30) == 16);
        CHECK(parts_of(3, 1 << 30) == 3);
    }
}

TEST_CASE("dense layers have LibTorch's outputs and gradients at every size") {
    const auto [rows, inputs, outputs] = GENERATE(table<std::int64_t, std::int64_t, std::int64_t>(
        {{1, 1, 1}, {5, 7, 3}, {33, 64, 128}, {2, 300, 1}, {150, 40, 70}, {13, 512, 33}}));
    INFO(rows << " x " << inputs << " -> " << outputs);
    const Inputs all{arbitrary({rows, inputs}, 0), arbitrary({outputs, inputs}, 1), arbitrary({outputs}, 2)};
    const auto exact = both_ways(all, at::kDouble, [](const Inputs& of) { return at::linear(of[0], of[1], of[2]); });
    for (const int threads : {1, 4}) {
        const KernelThreadScope scope(threads);
        check_near(both_ways(all, at::kFloat, [](const Inputs& of) { return linear(of[0], of[1], of[2]); }), exact, 3e-6);
        check_near(both_ways(all, at::kDouble, [](const Inputs& of) { return linear(of[0], of[1], of[2]); }), exact,
                   1e-12);  // LibTorch's
        const auto theirs = both_ways(all, at::kBFloat16, [](const Inputs& of) { return at::linear(of[0], of[1], of[2]); });
        std::vector<at::Tensor> near;
        for (const at::Tensor& tensor : theirs) near.push_back(tensor.to(at::kDouble));
        check_near(both_ways(all, at::kBFloat16, [](const Inputs& of) { return linear(of[0], of[1], of[2]); }), near,
                   0x1p-7);
    }
    const at::NoGradGuard no_grad;
    CHECK(linear(all[0], all[1], at::Tensor()).allclose(at::linear(all[0], all[1])));
    CHECK(linear(all[0].t().contiguous().t(), all[1], all[2]).allclose(at::linear(all[0], all[1], all[2])));
}

TEST_CASE("max pools and upsampling are LibTorch's, to the last bit of output and gradient") {
    const KernelThreadScope threads(3);
    const auto format = GENERATE(at::MemoryFormat::ChannelsLast, at::MemoryFormat::Contiguous);
    const Inputs x{arbitrary({21, 16, 25, 23}, 0).contiguous(format)};
    const auto same = [&](const auto& ours, const auto& theirs) {
        const auto found = both_ways(x, at::kFloat, ours), exact = both_ways(x, at::kFloat, theirs);
        for (std::size_t i = 0; i < exact.size(); ++i) CHECK(found[i].equal(exact[i]));
    };
    for (const auto& [size, stride] : std::vector<std::pair<std::int64_t, std::int64_t>>{{2, 2}, {3, 2}, {4, 5}})
        same([=](const Inputs& of) { return max_pool(of[0], size, stride); },
             [=](const Inputs& of) { return at::max_pool2d(of[0], size, stride); });
    same([](const Inputs& of) { return upsample_nearest(of[0], 3); },
         [](const Inputs& of) { return at::upsample_nearest2d(of[0], {75, 69}); });
}
