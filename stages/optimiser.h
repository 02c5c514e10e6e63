// Adam, AdamW and SGD with momentum. On the CPU each is one loop over the elements: LibTorch 1.13 has no fused Adam, and one
// operation after another costs ten times as much. An element's arithmetic does not depend on any other's, nor on threads. On a
// GPU, whose memory no loop of ours can reach, they are operations on whole tensors.
//
// The formulas are Keras', which differ from PyTorch's in where Adam's epsilon stands:
//   m = b1 m + (1 - b1) g     v = b2 v + (1 - b2) g^2     w -= rate sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + epsilon)
// (Kingma and Ba, "Adam", the order of computation at the end of section 2).
//   SGD:               s = momentum s - rate g     w += s
//   SGD, Nesterov's:   s = momentum s - rate g     w += momentum s - rate g
// Weight decay stands before each of them and beside its gradient: w -= rate * weight_decay * w (Loshchilov and Hutter,
// "Decoupled weight decay regularization"). AdamW is Adam with a weight decay of 0.004 unless another is given. It may leave out
// some tensors, usually biases and what scales and shifts in norms.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "stages/torch_network.h"

namespace satdl::stages {

enum class OptimiserKind { Adam, AdamW, Sgd };

struct OptimiserOptions {
    OptimiserKind kind = OptimiserKind::Adam;
    double learning_rate = 1e-3;
    double beta1 = 0.9;
    double beta2 = 0.999;
    double epsilon = 1e-7;
    double momentum = 0;
    bool nesterov = false;
    std::optional<double> weight_decay{};  // none: 0.004 for AdamW, else 0
    std::vector<bool> without_decay{};     // by trained tensor; empty: all decay
};

[[nodiscard]] OptimiserKind optimiser_from_name(const std::string& name);  // "adam", "adamw", "sgd"

// What the optimiser remembers of each trained tensor: Adam's m and v, SGD's s. Zero at the start.
struct Moments {
    Weights first;
    Weights second;  // empty for SGD
};

[[nodiscard]] Moments start_moments(OptimiserKind kind, const Weights& trained);

// What is the same for all elements of one update.
struct AdamStep {
    float rate, share1, share2, epsilon, keep;  // share: of what is new in a moment, 1 - beta; rounded once, for beta may be near 1
};
struct SgdStep {
    float rate, momentum, keep;
    bool nesterov;
};

// One update as a loop over elements that the caller chooses, as they lie in memory; the same bytes as those of update(), on every CPU.
class ElementUpdate {
public:
    // `update` counts from 1; `rate`: the learning rate.
    ElementUpdate(const OptimiserOptions& options, std::int64_t update, double rate);
    // `tensor`: its position among the trained ones. `second` is not read for SGD.
    void operator()(std::size_t tensor, std::int64_t count, const float* gradient, float* first, float* second, float* weight) const;
    [[nodiscard]] std::variant<AdamStep, SgdStep> step_for(std::size_t tensor) const;

private:
    std::variant<AdamStep, SgdStep> step_;
    const std::vector<bool> without_decay_;
};

// One update of `trained` at the learning rate `rate`; `update` counts from 1. `gradients` are in the same order.
void update(const OptimiserOptions& options, std::int64_t update, double rate, const Weights& gradients, Moments& moments,
            Weights& trained);

}  // namespace satdl::stages
