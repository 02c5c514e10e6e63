// The kernels of dense chains against the same formulas in float64, at sizes that are no multiple of anything; and their
// bytes.
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <mutex>
#include <vector>

#include "stages/kernels/dense_chain.h"
#include "stages/kernels/gemm.h"
#include "stages/random.h"

using namespace satdl;
using namespace satdl::stages;
using namespace satdl::stages::kernels;

namespace {

std::vector<float> numbers(std::int64_t count, std::uint32_t index, double scale = 1) {
    const Stream stream(3, Purpose::Noise, index);
    std::vector<float> values;
    for (std::int64_t i = 0; i < count; ++i)
        values.push_back(static_cast<float>(scale * (2 * stream.uniform(static_cast<std::uint64_t>(i)) - 1)));
    return values;
}

bool same_bits(float a, float b) {
    return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b);
}

double f(const Unit& unit, double x) {
    switch (unit.kind) {
        case Activation::Relu:
            return x > 0 ? x : 0;
        case Activation::LeakyRelu:
            return x > 0 ? x : x * static_cast<double>(unit.slope);
        case Activation::Sigmoid:
            return 1 / (1 + std::exp(-x));
        case Activation::Tanh:
            return std::tanh(x);
        default:
            return x;
    }
}

double slope(const Unit& unit, double x) {
    switch (unit.kind) {
        case Activation::Relu:
            return x > 0 ? 1 : 0;
        case Activation::LeakyRelu:
            return x > 0 ? 1 : static_cast<double>(unit.slope);
        case Activation::Sigmoid:
            return f(unit, x) * (1 - f(unit, x));
        case Activation::Tanh:
            return 1 - f(unit, x) * f(unit, x);
        default:
            return 1;
    }
}

// A chain with its data, and what one step of it is in float64.
struct Example {
    std::vector<DenseLayer> layers;
    ChainLoss loss = ChainLoss::SquaredError;
    bool labelled = false, weighted = false, biased = true;
    std::int64_t batch = 1;

    std::vector<std::vector<float>> kernels{}, biases{};
    std::vector<float> samples{}, targets{}, class_weights{};
    std::vector<std::int64_t> labels{}, chosen{};

    void make() {
        const std::int64_t count = batch + 3, outputs = layers.back().outputs, classes = std::max<std::int64_t>(2, outputs);
        for (std::uint32_t l = 0; l < layers.size(); ++l) {
            kernels.push_back(
                numbers(layers[l].inputs * layers[l].outputs, 10 + l, 1 / std::sqrt(static_cast<double>(layers[l].inputs))));
            biases.push_back(numbers(layers[l].outputs, 20 + l, 0.3));
        }
        samples = numbers(count * layers[0].inputs, 1);
        targets = numbers(count * outputs, 2);
        for (float& target : targets) target = std::fabs(target);
        for (std::int64_t i = 0; i < count; ++i) labels.push_back(i * 7 % classes);
        for (std::int64_t i = 0; i < classes; ++i) class_weights.push_back(0.5f + static_cast<float>(i));
        for (std::int64_t i = 0; i < batch; ++i) chosen.push_back((i * 5 + 1) % count);
    }
};

struct Step {
    double loss = 0;
    std::int64_t correct = 0, right = 0;
    std::vector<std::vector<double>> kernels, biases;  // gradients; of layers that are not trained empty
};

Step reference(const Example& e) {
    const std::size_t last = e.layers.size() - 1;
    Step step;
    step.kernels.resize(e.layers.size());
    step.biases.resize(e.layers.size());
    for (std::size_t l = 0; l <= last; ++l) {
        if (!e.layers[l].trained) continue;
        step.kernels[l].resize(e.kernels[l].size());
        if (e.biased) step.biases[l].resize(e.biases[l].size());
    }
    const std::int64_t outputs = e.layers.back().outputs;
    const double share = 1.0 / static_cast<double>(e.batch * (e.loss == ChainLoss::CrossEntropy ? 1 : outputs));
    for (const std::int64_t i : e.chosen) {
        std::vector<std::vector<double>> z, y{{}};
        for (std::int64_t k = 0; k < e.layers[0].inputs; ++k) y[0].push_back(e.samples[i * e.layers[0].inputs + k]);
        for (std::size_t l = 0; l <= last; ++l) {
            const DenseLayer& layer = e.layers[l];
            z.emplace_back();
            y.emplace_back();
            for (std::int64_t o = 0; o < layer.outputs; ++o) {
                double sum = e.biased ? e.biases[l][o] : 0;
                for (std::int64_t k = 0; k < layer.inputs; ++k)
                    sum += static_cast<double>(e.kernels[l][o * layer.inputs + k]) * y[l][k];
                z[l].push_back(sum);
                y[l + 1].push_back(f(layer.unit, sum));
            }
        }
        const double weight = e.weighted ? e.class_weights[e.labels[i]] : 1;
        std::vector<double> d(outputs);
        const auto target = [&](std::int64_t o) -> double {
            if (!e.labelled) return e.targets[i * outputs + o];
            return outputs == 1 ? static_cast<double>(e.labels[i]) : (o == e.labels[i] ? 1.0 : 0.0);
        };
        if (e.labelled && outputs > 1)
            step.correct += std::max_element(z[last].begin(), z[last].end()) - z[last].begin() == e.labels[i] ? 1 : 0;
        if (e.loss == ChainLoss::CrossEntropy) {
            double total = 0;
            for (const double value : z[last]) total += std::exp(value);
            step.loss += weight * share * (std::log(total) - z[last][e.labels[i]]);
            for (std::int64_t o = 0; o < outputs; ++o) d[o] = weight * share * (std::exp(z[last][o]) / total - target(o));
        }
        for (std::int64_t o = 0; o < outputs && e.loss != ChainLoss::CrossEntropy; ++o) {
            const double value = z[last][o], p = 1 / (1 + std::exp(-value)), error = y[last + 1][o] - target(o);
            if (e.loss == ChainLoss::SquaredError) {
                step.loss += share * error * error;
                d[o] = 2 * share * error * slope(e.layers[last].unit, value);
            } else {
                step.right += (value > 0) == (target(o) > 0.5) ? 1 : 0;
                step.loss += weight * share *
                             (target(o) * std::log1p(std::exp(-value)) + (1 - target(o)) * std::log1p(std::exp(value)));
                d[o] = weight * share * (p - target(o));
            }
        }
        for (std::size_t l = last;; --l) {
            const DenseLayer& layer = e.layers[l];
            if (!layer.trained) break;
            std::vector<double> below(layer.inputs);
            for (std::int64_t o = 0; o < layer.outputs; ++o) {
                if (e.biased) step.biases[l][o] += d[o];
                for (std::int64_t k = 0; k < layer.inputs; ++k) {
                    step.kernels[l][o * layer.inputs + k] += d[o] * y[l][k];
                    below[k] += d[o] * static_cast<double>(e.kernels[l][o * layer.inputs + k]);
                }
            }
            if (l == 0) break;
            for (std::int64_t k = 0; k < layer.inputs; ++k) below[k] *= slope(e.layers[l - 1].unit, z[l - 1][k]);
            d = std::move(below);
        }
    }
    return step;
}

class Kept final : public Learner {
public:
    explicit Kept(const Example& e) : kernels(e.layers.size()), biases(e.layers.size()), example_(e) {}

    void learn(std::size_t layer, bool bias, std::int64_t first, std::int64_t count, const float* gradient) override {
        const std::lock_guard lock(mutex_);
        auto& to = (bias ? biases : kernels)[layer];
        to.resize((bias ? example_.biases : example_.kernels)[layer].size(), std::numeric_limits<float>::quiet_NaN());
        std::copy_n(gradient, count, to.begin() + first);
    }
    [[nodiscard]] std::array<const float*, 3> memory(std::size_t, std::int64_t) const override { return {}; }

    std::vector<std::vector<float>> kernels, biases;

private:
    const Example& example_;
    std::mutex mutex_;
};

ChainResult computed(const Example& e, Kept& kept, int threads, std::int64_t greatest_batch) {
    std::vector<DenseWeights> weights;
    for (std::size_t l = 0; l < e.layers.size(); ++l)
        weights.push_back({e.kernels[l].data(), e.biased ? e.biases[l].data() : nullptr});
    DenseChain chain(e.layers, e.loss, greatest_batch, threads);
    const ChainData data{.samples = e.samples.data(),
                         .labels = e.labelled ? e.labels.data() : nullptr,
                         .targets = e.labelled ? nullptr : e.targets.data(),
                         .class_weights = e.weighted ? e.class_weights.data() : nullptr};
    static_cast<void>(chain.step(data, std::span(e.chosen).first(1), weights, kept));  // a step leaves nothing behind
    return chain.step(data, e.chosen, weights, kept);
}

void check(const std::vector<float>& got, const std::vector<double>& expected) {
    REQUIRE(got.size() == expected.size());
    double size = 0, error = 0;
    for (std::size_t i = 0; i < got.size(); ++i) {
        size = std::max(size, std::fabs(expected[i]));
        error = std::max(error, std::isfinite(got[i]) ? std::fabs(static_cast<double>(got[i]) - expected[i]) : 1e9);
    }
    CHECK(error <= 3e-6 * size + 1e-12);
}

void check(const Example& e) {
    const Step expected = reference(e);
    Kept first(e);
    const ChainResult result = computed(e, first, 1, e.batch);
    CHECK(result.loss == Approx(expected.loss).epsilon(2e-6));
    CHECK(result.correct == expected.correct);
    CHECK(result.right == expected.right);
    for (std::size_t l = 0; l < e.layers.size(); ++l) {
        INFO("layer " << l);
        check(first.kernels[l], expected.kernels[l]);
        check(first.biases[l], expected.biases[l]);
    }
    for (const int threads : {2, 3, 5, 8}) {
        INFO(threads << " threads");
        Kept other(e);
        const ChainResult again = computed(e, other, threads, e.batch + 9);
        CHECK(again.loss == result.loss);
        CHECK(other.kernels == first.kernels);
        CHECK(other.biases == first.biases);
    }
}

std::vector<DenseLayer> chain_of(std::vector<std::int64_t> sizes, std::vector<Unit> units) {
    std::vector<DenseLayer> layers;
    for (std::size_t l = 0; l + 1 < sizes.size(); ++l) layers.push_back({sizes[l], sizes[l + 1], units[l], true});
    return layers;
}

constexpr Unit kNone{}, kRelu{Activation::Relu}, kLeaky{Activation::LeakyRelu, 0.3f}, kSigmoid{Activation::Sigmoid},
    kTanh{Activation::Tanh};

}  // namespace

TEST_CASE(
    "each element of a product is one chain of fused multiply-adds, whatever the sizes, the strides and the instructions") {
    if (cpu_level() == CpuLevel::Baseline) return;
    const std::vector<float> a = numbers(40 * 70, 1), b = numbers(70 * 70, 2);
    for (const auto with : {CpuLevel::Avx2, CpuLevel::Avx512}) {
        if (with == CpuLevel::Avx512 && cpu_level() != with) continue;
        for (const std::int64_t rows : {1, 5, 6, 7, 12, 13, 37})
            for (const std::int64_t columns : {1, 7, 8, 9, 15, 16, 17, 24, 31, 32})
                for (const std::int64_t depth : {1, 7, 8, 23, 64})
                    for (const bool across : {false, true}) {  // the operands lie the other way round
                        const Matrix left = across ? Matrix{a.data(), 1, 40} : Matrix{a.data(), 70, 1};
                        const Matrix right = across ? Matrix{b.data(), 1, 70} : Matrix{b.data(), 70, 1};
                        std::vector<float> panel(static_cast<std::size_t>(depth * kPanel), 77),
                            c(static_cast<std::size_t>(rows * 33), 5);
                        pack(depth, columns, right, panel.data());
                        multiply(rows, columns, depth, left, panel.data(), kPanel, c.data(), 33, {}, with);
                        bool all = true;
                        for (std::int64_t i = 0; i < rows; ++i)
                            for (std::int64_t j = 0; j < 33; ++j) {
                                float sum = 0;
                                for (std::int64_t k = 0; k < depth; ++k)
                                    sum = std::fma(left.data[i * left.row + k * left.column],
                                                   right.data[k * right.row + j * right.column], sum);
                                all = all && same_bits(c[i * 33 + j], j < columns ? sum : 5);
                            }
                        INFO(rows << " x " << columns << ", depth " << depth << (across ? ", across" : ""));
                        CHECK(all);
                    }
    }
}

TEST_CASE("activations and their derivatives are those of float64, wherever a number stands") {
    if (cpu_level() == CpuLevel::Baseline) return;
    std::vector<float> x{0.0f, -0.0f, 1e-30f, -1e-7f, 0.6249f, 0.6251f, 88, -88, 104, -200, 1000, -1000};
    for (int i = -3000; i < 3000; ++i) x.push_back(static_cast<float>(i) * 0.01f);
    for (const Unit& unit : {kNone, kRelu, kLeaky, kSigmoid, kTanh}) {
        INFO(name_of(unit.kind));
        std::vector<float> y = x, d(x.size(), 2);
        activate(unit, static_cast<std::int64_t>(y.size()), y.data());
        times_derivative(unit, static_cast<std::int64_t>(y.size()), y.data(), d.data());
        double worst = 0, worst_slope = 0;
        bool alone_is_same = true;
        for (std::size_t i = 0; i < x.size(); ++i) {
            const double expected = f(unit, x[i]);
            worst = std::max(worst, std::fabs(y[i] - expected) / std::max(std::fabs(expected), 1e-30));
            worst_slope = std::max(worst_slope, std::fabs(d[i] - 2 * slope(unit, x[i])));
            float one = x[i];
            activate(unit, 1, &one);
            alone_is_same = alone_is_same && same_bits(one, y[i]);
        }
        CHECK(worst < 4e-7);
        CHECK(worst_slope < 1e-6);
        CHECK(alone_is_same);
        float broken = std::numeric_limits<float>::quiet_NaN();
        activate(unit, 1, &broken);
        CHECK(std::isnan(broken));
    }
}

TEST_CASE("the greatest of several equal numbers is the first") {
    for (const std::int64_t count : {1, 2, 7, 33, 1500}) {
        const std::vector<float> x = numbers(count, 4, 30);
        CHECK(greatest(count, x.data()) == std::max_element(x.begin(), x.end()) - x.begin());
    }
    const std::vector<float> tie{1, 3, 3};
    CHECK(greatest(3, tie.data()) == 1);
}

TEST_CASE("losses and gradients of extreme outputs neither overflow nor lose what they mean") {
    if (cpu_level() == CpuLevel::Baseline) return;
    std::vector<float> z{-200, 200, -200, 200, -20};
    const std::vector<float> target{0, 1, 1, 0, 0};
    CHECK(binary_cross_entropy(5, target.data(), 1, z.data()) == Approx(400 + std::log1p(std::exp(-20.0))));
    CHECK(z[0] == Approx(0).margin(1e-30));
    CHECK(z[2] == -1);
    CHECK(z[3] == 1);
    CHECK(z[4] == Approx(std::exp(-20.0)).epsilon(1e-5));
    std::vector<float> row{500, -500};
    CHECK(cross_entropy(2, 1, 1, row.data()) == 1000);
    CHECK(row == std::vector<float>{1, -1});
    std::vector<float> infinite{std::numeric_limits<float>::infinity(), 0};
    CHECK(std::isnan(cross_entropy(2, 1, 1, infinite.data())));
}

TEST_CASE("a step of a chain has float64's loss and gradients, and the same bytes with 1, 2, 3, 5 and 8 threads") {
    if (cpu_level() == CpuLevel::Baseline) return;
    SECTION("squared error, after every activation") {
        for (const Unit& unit : {kNone, kRelu, kLeaky, kSigmoid, kTanh}) {
            INFO(name_of(unit.kind));
            Example e{.layers = chain_of({13, 37, 5}, {unit, unit}), .batch = 29};
            e.make();
            check(e);
        }
    }
    SECTION("cross-entropy, with and without class weights") {
        for (const bool weighted : {false, true}) {
            Example e{.layers = chain_of({20, 70, 33, 10}, {kRelu, kTanh, kNone}),
                      .loss = ChainLoss::CrossEntropy,
                      .labelled = true,
                      .weighted = weighted,
                      .batch = 50};
            e.make();
            check(e);
        }
    }
    SECTION("binary cross-entropy of targets, of classes and of yes or no") {
        for (const std::int64_t outputs : {1, 6})
            for (const bool labelled : {false, true})
                for (const bool weighted : {false, labelled}) {
                    Example e{.layers = chain_of({9, 18, outputs}, {kSigmoid, kNone}),
                              .loss = ChainLoss::BinaryCrossEntropy,
                              .labelled = labelled,
                              .weighted = weighted,
                              .batch = 31};
                    e.make();
                    check(e);
                }
    }
    SECTION("one sample, one input, one output, one layer; no bias") {
        for (const bool biased : {false, true}) {
            Example one{.layers = chain_of({1, 1}, {kTanh}), .biased = biased, .batch = 1};
            one.make();
            check(one);
            Example layer{.layers = chain_of({65, 129}, {kNone}), .biased = biased, .batch = 2};
            layer.make();
            check(layer);
        }
    }
    SECTION("layers that are not trained") {
        Example e{.layers = chain_of({12, 40, 20, 3}, {kRelu, kSigmoid, kNone}),
                  .loss = ChainLoss::CrossEntropy,
                  .labelled = true,
                  .batch = 17};
        e.layers[0].trained = e.layers[1].trained = false;
        e.make();
        check(e);
    }
    SECTION("more outputs than a block of losses, and layers wider than a block of gradients") {
        Example e{.layers = chain_of({700, 90, 2100}, {kRelu, kSigmoid}), .batch = 130};
        e.make();
        check(e);
    }
}

TEST_CASE("a team does every job of a phase once, and no job before the phases before it have ended") {
    for (const int threads : {1, 2, 3, 8}) {
        Team team(threads);
        CHECK(team.threads() == threads);
        for (int run = 0; run < 300; ++run) {
            constexpr int kPhases = 5, kJobs = 7;
            std::array<std::atomic<int>, kPhases> done{};
            std::atomic<bool> early{false};
            std::vector<Phase> phases;
            for (int phase = 0; phase < kPhases; ++phase) {
                phases.push_back({kJobs, [&, phase](std::int64_t, int thread) {
                                      if (thread < 0 || thread >= threads || (phase > 0 && done[phase - 1] != kJobs))
                                          early = true;
                                      ++done[phase];
                                  }});
            }
            team.run(phases);
            REQUIRE_FALSE(early);
            for (const auto& count : done) REQUIRE(count == kJobs);
        }
    }
}
