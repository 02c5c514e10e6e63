// Trainings of plain dense networks without autograd: the steps of kernels/dense_chain.h on a training's tensors.
//
// A network of flatten, unflatten and dense layers, with the activations that kernels/elementwise.h has, in float32 on a CPU
// with AVX2 and FMA. Cross-entropy follows a softmax or nothing, binary cross-entropy a sigmoid or nothing. Everything else
// is trained by autograd.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "stages/kernels/dense_chain.h"
#include "stages/loss.h"
#include "stages/optimiser.h"
#include "stages/samples.h"

namespace satdl::stages {

class DenseTraining {
public:
    struct Task {
        LossKind loss = LossKind::Mse;
        std::size_t frozen_layers = 0;
        std::int64_t batch_size = 1;
        Samples samples;  // of the training; targets as Objective::prepare() gives them
        at::Tensor class_weights;    // or undefined
    };
    // nullptr where it is a training for autograd. `net` must outlive it.
    [[nodiscard]] static std::unique_ptr<DenseTraining> of(const Net& net, const Task& task);

    // One batch, and one update with what it teaches. Gives the mean loss before it, and adds to the metrics.
    double update(const ElementUpdate& update, std::span<const std::int64_t> chosen, Weights& weights, Moments& moments,
                  MetricSums& sums);
    // One batch, and the gradients of the trained tensors, in order.
    double gradients(std::span<const std::int64_t> chosen, const Weights& weights, Weights& gradients, MetricSums& sums);

private:
    struct Position {  // of a layer's tensors among all of the network; `trained`: of its kernel among those that are
                       // trained
        std::size_t kernel = 0, trained = 0;
        bool bias = false;
    };

    class Update;
    class Keep;

    DenseTraining(const Task& task, std::vector<kernels::DenseLayer> layers, std::vector<Position> positions,
                  kernels::ChainLoss loss);
    double step(std::span<const std::int64_t> chosen, const Weights& weights, kernels::Learner& learner, MetricSums& sums);

    Task task_;  // keeps the data alive
    kernels::ChainData data_;
    std::vector<Position> positions_;  // by layer of the chain
    std::int64_t outputs_;
    kernels::DenseChain chain_;
};

}  // namespace satdl::stages
