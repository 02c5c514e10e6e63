#include "stages/dense_training.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <variant>

#include "stages/kernels/cpu_level.h"
#include "stages/tensor.h"

namespace satdl::stages {
namespace {

using kernels::ChainLoss;
using kernels::DenseLayer;

// The activation of a layer of the chain, unless it is none that the chain can compute there. A softmax is that of the loss,
// or none.
bool takes(DenseLayer& layer, const ActivationSpec& activation) {
    const auto slope = static_cast<float>(activation.negative_slope);
    if (activation.kind == Activation::None) return true;
    if (layer.unit.kind != Activation::None || activation.kind == Activation::Gelu) return false;
    if (activation.kind == Activation::LeakyRelu && !(slope > 0))
        return false;  // its derivative could not be told from what it gives
    layer.unit = {activation.kind, slope};
    return true;
}

// What the loss makes of the last activation, which it takes over unless it is mse.
std::optional<ChainLoss> chain_loss(LossKind loss, const ActivationSpec& last, kernels::Unit& unit, const Shape& output) {
    if (loss == LossKind::Mse)
        return unit.kind == Activation::Softmax ? std::nullopt : std::optional(ChainLoss::SquaredError);
    const bool cross_entropy = loss == LossKind::CrossEntropy;
    const bool fits =
        unit.kind == Activation::None || unit.kind == (cross_entropy ? Activation::Softmax : Activation::Sigmoid);
    if (!fits || unit.kind != last.kind || (cross_entropy && output.size() != 1)) return std::nullopt;
    unit = {};
    return cross_entropy ? ChainLoss::CrossEntropy : ChainLoss::BinaryCrossEntropy;
}

bool plain(const at::Tensor& tensor) {
    return tensor.is_cpu() && tensor.is_contiguous();
}

}  // namespace

std::unique_ptr<DenseTraining> DenseTraining::of(const Net& net, const Task& task) {
    if (kernels::cpu_level() == kernels::CpuLevel::Baseline || net.device() != at::kCPU ||
        net.precision() != Precision::Fp32)
        return nullptr;
    if (!plain(task.samples.x) || !plain(task.samples.target)) return nullptr;
    std::vector<DenseLayer> layers;
    std::vector<Position> positions;
    std::size_t tensor = 0, trained = 0;
    for (std::size_t i = 0; i < net.network().layers.size(); ++i) {
        const LayerSpec& spec = net.network().layers[i].spec;
        if (std::holds_alternative<Flatten>(spec) || std::holds_alternative<Unflatten>(spec)) continue;
        if (const auto* dense = std::get_if<Dense>(&spec)) {
            if (!layers.empty() && layers.back().unit.kind == Activation::Softmax) return nullptr;
            layers.push_back({.inputs = net.tensors()[tensor].shape[1],
                              .outputs = dense->units,
                              .unit = {},
                              .trained = i >= task.frozen_layers});
            positions.push_back({.kernel = tensor, .trained = trained, .bias = dense->bias});
            tensor += dense->bias ? 2 : 1;
            if (layers.back().trained) trained += dense->bias ? 2 : 1;
        } else if (!std::holds_alternative<Activate>(spec) || layers.empty()) {
            return nullptr;
        }
        if (!takes(layers.back(), activation_of(spec))) return nullptr;
    }
    if (layers.empty()) return nullptr;
    const auto loss = chain_loss(task.loss, net.last_activation(), layers.back().unit, net.output());
    if (!loss) return nullptr;
    return std::unique_ptr<DenseTraining>(new DenseTraining(task, std::move(layers), std::move(positions), *loss));
}

DenseTraining::DenseTraining(const Task& task, std::vector<DenseLayer> layers, std::vector<Position> positions,
                             ChainLoss loss)
    : task_(task),
      positions_(std::move(positions)),
      outputs_(layers.back().outputs),
      chain_(std::move(layers), loss, std::min(task.batch_size, task.samples.x.size(0)), static_cast<int>(kernel_workers().count)) {
    const auto& [x, target, scale] = task_.samples;
    if (scale) {
        data_.bytes = x.data_ptr<std::uint8_t>();
        data_.scale = *scale;
    } else {
        data_.samples = x.data_ptr<float>();
    }
    if (target.scalar_type() == at::kLong) data_.labels = target.data_ptr<std::int64_t>();
    else data_.targets = target.data_ptr<float>();
    if (task_.class_weights.defined()) data_.class_weights = task_.class_weights.data_ptr<float>();
}

double DenseTraining::step(std::span<const std::int64_t> chosen, const Weights& weights, kernels::Learner& learner,
                           MetricSums& sums) {
    std::vector<kernels::DenseWeights> of_layers;
    for (const Position& position : positions_) {
        of_layers.push_back({weights[position.kernel].data_ptr<float>(),
                             position.bias ? weights[position.kernel + 1].data_ptr<float>() : nullptr});
    }
    const kernels::ChainResult result = chain_.step(data_, chosen, of_layers, learner);
    sums.loss += result.loss * static_cast<double>(chosen.size());
    sums.samples += static_cast<std::int64_t>(chosen.size());
    sums.correct += static_cast<double>(result.correct);
    sums.binary_correct += static_cast<double>(result.right) / static_cast<double>(outputs_);
    return result.loss;
}

// The optimiser's update, while the gradients are in cache.
class DenseTraining::Update final : public kernels::Learner {
public:
    Update(const ElementUpdate& update, const std::vector<Position>& positions, const Weights& weights,
           const Moments& moments)
        : update_(update), positions_(positions), weights_(weights), moments_(moments) {}

    void learn(std::size_t layer, bool bias, std::int64_t first, std::int64_t count, const float* gradient) override {
        const auto [weight, m, v] = places(layer, bias, first);
        update_(positions_[layer].trained + (bias ? 1 : 0), count, gradient, m, v, weight);
    }
    [[nodiscard]] std::array<const float*, 3> memory(std::size_t layer, std::int64_t first) const override {
        const auto [weight, m, v] = places(layer, false, first);
        return {weight, m, v};
    }

private:
    [[nodiscard]] std::array<float*, 3> places(std::size_t layer, bool bias, std::int64_t first) const {
        const std::size_t tensor = positions_[layer].kernel + (bias ? 1 : 0),
                          trained = positions_[layer].trained + (bias ? 1 : 0);
        return {weights_[tensor].data_ptr<float>() + first, moments_.first[trained].data_ptr<float>() + first,
                moments_.second.empty() ? nullptr : moments_.second[trained].data_ptr<float>() + first};
    }

    const ElementUpdate& update_;
    const std::vector<Position>& positions_;
    const Weights& weights_;
    const Moments& moments_;
};

// The gradients themselves, for what has to see all of them before an update.
class DenseTraining::Keep final : public kernels::Learner {
public:
    Keep(const std::vector<Position>& positions, const Weights& gradients) : positions_(positions), gradients_(gradients) {}

    void learn(std::size_t layer, bool bias, std::int64_t first, std::int64_t count, const float* gradient) override {
        float* to = gradients_[positions_[layer].trained + (bias ? 1 : 0)].data_ptr<float>() + first;
        std::memcpy(to, gradient, static_cast<std::size_t>(count) * sizeof(float));
    }
    [[nodiscard]] std::array<const float*, 3> memory(std::size_t, std::int64_t) const override { return {}; }

private:
    const std::vector<Position>& positions_;
    const Weights& gradients_;
};

double DenseTraining::update(const ElementUpdate& update, std::span<const std::int64_t> chosen, Weights& weights,
                             Moments& moments, MetricSums& sums) {
    Update learner(update, positions_, weights, moments);
    return step(chosen, weights, learner, sums);
}

double DenseTraining::gradients(std::span<const std::int64_t> chosen, const Weights& weights, Weights& gradients,
                                MetricSums& sums) {
    Keep learner(positions_, gradients);
    return step(chosen, weights, learner, sums);
}

}  // namespace satdl::stages
