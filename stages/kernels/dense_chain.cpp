#include "stages/kernels/dense_chain.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "stages/kernels/gemm.h"

namespace satdl::stages::kernels {
namespace {

// Sizes of jobs: large enough that claiming one is nothing, small enough that no thread waits long for the last one.
constexpr std::int64_t kGathered = 1 << 14, kLosses = 1 << 11, kGradients = 1 << 15;  // numbers
constexpr std::int64_t kSmall = 1 << 17;  // weights of a network that every core's own cache holds
constexpr std::int64_t kFewestRows = 12;  // of a product

std::int64_t ceil_div(std::int64_t a, std::int64_t b) {
    return (a + b - 1) / b;
}

// Whole panels can be read; and as an odd number of cache lines, so that the rows of a column do not fall into the same few
// sets of a cache.
std::int64_t stride_of(std::int64_t columns) {
    return ceil_div(columns, kPanel) * kPanel + 16;
}

std::int64_t rows_of_gradients(const DenseLayer& layer, int threads) {
    const std::int64_t by_cache = kGradients / layer.inputs, by_threads = ceil_div(layer.outputs, 2 * threads);
    return std::clamp<std::int64_t>(std::min(by_cache, by_threads), std::min(kFewestRows, layer.outputs), layer.outputs);
}

}  // namespace

DenseChain::DenseChain(std::vector<DenseLayer> layers, ChainLoss loss, std::int64_t greatest_batch, int threads)
    : layers_(std::move(layers)), loss_(loss), samples_(static_cast<std::size_t>(greatest_batch)), team_(threads) {
    const auto rows = [&](std::int64_t columns) {
        return Rows{aligned_floats(greatest_batch * stride_of(columns)), stride_of(columns)};
    };
    values_.push_back(rows(layers_.front().inputs));
    std::int64_t scratch = outputs();  // a target
    for (const DenseLayer& layer : layers_) {
        values_.push_back(rows(layer.outputs));
        scratch = std::max(
            {scratch, kPanel * std::max(layer.inputs, layer.outputs), rows_of_gradients(layer, threads) * layer.inputs});
    }
    std::int64_t count = 0;
    for (const DenseLayer& layer : layers_) count += layer.inputs * layer.outputs;
    small_ = count <= kSmall;
    while (!layers_[first_trained_].trained) ++first_trained_;
    for (std::size_t l = 0; l + 1 < layers_.size(); ++l)
        gradients_.push_back(l < first_trained_ ? Rows{} : rows(layers_[l].outputs));
    for (int thread = 0; thread < threads; ++thread) scratch_.push_back(aligned_floats(scratch));
}

void DenseChain::gather(const ChainData& data, std::span<const std::int64_t> chosen, std::int64_t first, std::int64_t last) {
    const std::int64_t inputs = layers_.front().inputs;
    for (std::int64_t i = first; i < last; ++i) {
        const std::int64_t begin = chosen[static_cast<std::size_t>(i)] * inputs;
        float* const row = values_.front().at(i);
        if (data.bytes == nullptr) {
            std::memcpy(row, data.samples + begin, static_cast<std::size_t>(inputs) * sizeof(float));
            continue;
        }
        const std::uint8_t* const from = data.bytes + begin;
        for (std::int64_t j = 0; j < inputs; ++j) row[j] = static_cast<float>(from[j]) / data.scale;
    }
}

// The outputs of a layer from `column` on, a panel of them, of the samples [first, last).
void DenseChain::forward(std::size_t layer, const DenseWeights& weights, std::int64_t column, std::int64_t first,
                         std::int64_t last, int thread) {
    const DenseLayer& of = layers_[layer];
    const Rows &from = values_[layer], &to = values_[layer + 1];
    const std::int64_t columns = std::min(kPanel, of.outputs - column);
    float* panel = scratch_[static_cast<std::size_t>(thread)].get();
    pack(of.inputs, columns, {weights.kernel + column * of.inputs, 1, of.inputs}, panel);
    const float* next = weights.kernel + (column + kPanel) * of.inputs;
    multiply(last - first, columns, of.inputs, {from.at(first), from.stride, 1}, panel, kPanel, to.at(first, column),
             to.stride, ahead(next, kPanel * of.inputs, last - first, of.inputs));
    for (std::int64_t i = first; i < last; ++i) {
        if (weights.bias != nullptr) add(columns, weights.bias + column, to.at(i, column));
        if (layer + 1 < layers_.size()) activate(of.unit, columns, to.at(i, column));
    }
}

void DenseChain::loss_of(const ChainData& data, std::span<const std::int64_t> chosen, std::int64_t sample, int thread) {
    const std::int64_t position = chosen[static_cast<std::size_t>(sample)];
    const std::int64_t label = data.labels != nullptr ? data.labels[position] : 0;
    float* z = values_.back().at(sample);
    Sample& result = samples_[static_cast<std::size_t>(sample)];
    result = {};
    const double weight = data.class_weights != nullptr ? static_cast<double>(data.class_weights[label]) : 1;
    const auto batch = static_cast<double>(chosen.size());
    if (data.labels != nullptr && outputs() > 1) result.correct = greatest(outputs(), z) == label ? 1 : 0;
    if (loss_ == ChainLoss::CrossEntropy) {
        result.loss = weight * cross_entropy(outputs(), label, static_cast<float>(weight / batch), z);
        return;
    }
    const float* target = data.targets + position * outputs();
    if (data.labels != nullptr) {
        float* one_hot = scratch_[static_cast<std::size_t>(thread)].get();
        std::fill_n(one_hot, outputs(), 0.0f);
        if (outputs() == 1)
            one_hot[0] = static_cast<float>(label);
        else
            one_hot[label] = 1;
        target = one_hot;
    }
    const auto scale = static_cast<float>(weight / (batch * static_cast<double>(outputs())));
    if (loss_ == ChainLoss::SquaredError) {
        result.loss = squared_error(layers_.back().unit, outputs(), target, scale, z);
    } else {
        result.right = right_of_zero(outputs(), z, target);
        result.loss = weight * binary_cross_entropy(outputs(), target, scale, z);
    }
}

// The gradient by the inputs of a layer before their activation: a panel of them from `column` on, of the samples [first,
// last).
void DenseChain::backward(std::size_t layer, const DenseWeights& weights, std::int64_t column, std::int64_t first,
                          std::int64_t last, int thread) {
    const DenseLayer& of = layers_[layer];
    const Rows &from = layer + 1 < layers_.size() ? gradients_[layer] : values_.back(), &to = gradients_[layer - 1];
    const std::int64_t columns = std::min(kPanel, of.inputs - column);
    float* panel = scratch_[static_cast<std::size_t>(thread)].get();
    pack(of.outputs, columns, {weights.kernel + column, of.inputs, 1}, panel);
    multiply(last - first, columns, of.outputs, {from.at(first), from.stride, 1}, panel, kPanel, to.at(first, column),
             to.stride);
    for (std::int64_t i = first; i < last; ++i)
        times_derivative(layers_[layer - 1].unit, columns, values_[layer].at(i, column), to.at(i, column));
}

// Those of a layer's outputs [first, last), and what is learnt from them.
void DenseChain::gradients(std::size_t layer, const DenseWeights& weights, std::int64_t batch, std::int64_t first,
                           std::int64_t last, int thread, Learner& learner) {
    const DenseLayer& of = layers_[layer];
    const Rows& by_output = layer + 1 < layers_.size() ? gradients_[layer] : values_.back();
    const Rows& inputs = values_[layer];
    float* gradient = scratch_[static_cast<std::size_t>(thread)].get();
    const std::int64_t panels = ceil_div(of.inputs, kPanel);
    const std::array memory = learner.memory(layer, first * of.inputs);
    const auto areas = static_cast<std::int64_t>(memory.size());
    const std::int64_t piece =
        ceil_div(areas * (last - first) * of.inputs, panels);  // of these areas, fetched during one panel
    for (std::int64_t p = 0; p < panels; ++p) {
        const std::int64_t column = p * kPanel, columns = std::min(kPanel, of.inputs - column), area = p * areas / panels;
        const float* soon = memory[static_cast<std::size_t>(area)];
        const Ahead fetched = soon == nullptr
                                  ? Ahead{}
                                  : ahead(soon + (p - ceil_div(area * panels, areas)) * piece, piece, last - first, batch);
        multiply(last - first, columns, batch, {by_output.at(0, first), 1, by_output.stride}, inputs.at(0, column),
                 inputs.stride, gradient + column, of.inputs, fetched);
    }
    learner.learn(layer, false, first * of.inputs, (last - first) * of.inputs, gradient);
    if (weights.bias == nullptr) return;
    constexpr float kOne = 1;
    for (std::int64_t output = first; output < last; output += kPanel) {
        const std::int64_t columns = std::min(kPanel, last - output);
        multiply(1, columns, batch, {&kOne, 0, 0}, by_output.at(0, output), by_output.stride, gradient, columns);
        learner.learn(layer, true, output, columns, gradient);
    }
}

// A phase of a product of [batch, columns]: a job for each panel, and for parts of the batch if there are fewer panels than
// threads.
Phase DenseChain::over_panels(std::int64_t batch, std::int64_t columns,
                              std::function<void(std::int64_t, std::int64_t, std::int64_t, int)> job) const {
    const std::int64_t panels = ceil_div(columns, kPanel);
    const std::int64_t parts = std::clamp<std::int64_t>(ceil_div(team_.threads(), panels), 1, ceil_div(batch, kFewestRows));
    return {panels * parts, [=, job = std::move(job)](std::int64_t number, int thread) {
                const std::int64_t part = number % parts;
                job(number / parts * kPanel, batch * part / parts, batch * (part + 1) / parts, thread);
            }};
}

Phase DenseChain::all_gradients(std::span<const DenseWeights> weights, std::int64_t batch, Learner& learner) {
    std::vector<std::int64_t> first{0};  // by trained layer: the number of jobs before it
    for (std::size_t l = first_trained_; l < layers_.size(); ++l)
        first.push_back(first.back() + ceil_div(layers_[l].outputs, rows_of_gradients(layers_[l], team_.threads())));
    const std::int64_t jobs = first.back();
    return {jobs, [this, weights, batch, &learner, first = std::move(first)](std::int64_t job, int thread) {
                const auto after = std::ranges::upper_bound(first, job);
                const auto layer = first_trained_ + static_cast<std::size_t>(after - first.begin()) - 1;
                const std::int64_t begin = *(after - 1), blocks = *after - begin, outputs = layers_[layer].outputs;
                gradients(layer, weights[layer], batch, outputs * (job - begin) / blocks,
                          outputs * (job - begin + 1) / blocks, thread, learner);
            }};
}

// Up to the gradients by outputs, a phase a layer: every panel of weights is packed once.
std::vector<Phase> DenseChain::by_layers(const ChainData& data, std::span<const std::int64_t> chosen,
                                         std::span<const DenseWeights> weights) {
    const auto batch = static_cast<std::int64_t>(chosen.size());
    std::vector<Phase> phases;
    const auto over_samples = [&](std::int64_t samples, auto job) {
        phases.push_back({ceil_div(batch, samples), [=](std::int64_t number, int thread) {
                              job(number * samples, std::min(batch, (number + 1) * samples), thread);
                          }});
    };
    over_samples(std::max<std::int64_t>(1, kGathered / layers_.front().inputs),
                 [this, &data, chosen](std::int64_t first, std::int64_t last, int) { gather(data, chosen, first, last); });
    for (std::size_t l = 0; l < layers_.size(); ++l) {
        phases.push_back(
            over_panels(batch, layers_[l].outputs,
                        [this, l, weights](std::int64_t column, std::int64_t first, std::int64_t last, int thread) {
                            forward(l, weights[l], column, first, last, thread);
                        }));
    }
    over_samples(std::max<std::int64_t>(1, kLosses / outputs()),
                 [this, &data, chosen](std::int64_t first, std::int64_t last, int thread) {
                     for (std::int64_t sample = first; sample < last; ++sample) loss_of(data, chosen, sample, thread);
                 });
    for (std::size_t l = layers_.size() - 1; l > first_trained_; --l) {
        phases.push_back(
            over_panels(batch, layers_[l].inputs,
                        [this, l, weights](std::int64_t column, std::int64_t first, std::int64_t last, int thread) {
                            backward(l, weights[l], column, first, last, thread);
                        }));
    }
    return phases;
}

// The same as one phase, in which each thread takes some of the samples all the way: no thread waits, nor reads what another
// core has just written, and each thread packs all weights for itself.
std::vector<Phase> DenseChain::by_samples(const ChainData& data, std::span<const std::int64_t> chosen,
                                          std::span<const DenseWeights> weights) {
    const auto batch = static_cast<std::int64_t>(chosen.size());
    const std::int64_t parts = std::clamp<std::int64_t>(batch / kFewestRows, 1, team_.threads());
    return {{parts, [=, this, &data](std::int64_t part, int thread) {
                 const std::int64_t first = batch * part / parts, last = batch * (part + 1) / parts;
                 gather(data, chosen, first, last);
                 for (std::size_t l = 0; l < layers_.size(); ++l)
                     for (std::int64_t column = 0; column < layers_[l].outputs; column += kPanel)
                         forward(l, weights[l], column, first, last, thread);
                 for (std::int64_t sample = first; sample < last; ++sample) loss_of(data, chosen, sample, thread);
                 for (std::size_t l = layers_.size() - 1; l > first_trained_; --l)
                     for (std::int64_t column = 0; column < layers_[l].inputs; column += kPanel)
                         backward(l, weights[l], column, first, last, thread);
             }}};
}

ChainResult DenseChain::step(const ChainData& data, std::span<const std::int64_t> chosen,
                             std::span<const DenseWeights> weights, Learner& learner) {
    const auto batch = static_cast<std::int64_t>(chosen.size());
    std::vector<Phase> phases = small_ ? by_samples(data, chosen, weights) : by_layers(data, chosen, weights);
    phases.push_back(all_gradients(weights, batch, learner));
    team_.run(phases);

    ChainResult result;
    for (std::int64_t i = 0; i < batch; ++i) {
        const Sample& sample = samples_[static_cast<std::size_t>(i)];
        result.loss += sample.loss;
        result.correct += sample.correct;
        result.right += sample.right;
    }
    result.loss /= static_cast<double>(batch) * (loss_ == ChainLoss::CrossEntropy ? 1 : static_cast<double>(outputs()));
    return result;
}

}  // namespace satdl::stages::kernels
