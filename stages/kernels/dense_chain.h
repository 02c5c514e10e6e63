// A training step of a chain of dense layers, without autograd: what `y = f(W x + b)` one after another, and a loss, come
// to.
//
//   z_l = y_(l-1) W_l^T + b_l     y_l = f_l(z_l)     y_0: the samples
//   d_L: the loss's gradient by z_L; d_(l-1) = (d_l W_l) f'_(l-1)(z_(l-1))
//   gradients: d_l^T y_(l-1) of W_l, the sums of d_l's columns of b_l
//
// It is a few phases of jobs, which the threads of a team share: gather, a phase a layer forward, the loss, a phase a layer
// backward (all of these one phase over the samples where the network is small), and the gradients of all layers with what
// is learnt from them, each job while its gradients are in cache. Every number is computed whole by one job (gemm.h,
// elementwise.h), and the loss is summed sample by sample: so the bytes depend neither on the number of threads nor on how
// the jobs are cut, which follows that number.
//
// Autograd runs some 60 operations of LibTorch for the same step of M2, each with its own tensors and its own start of
// threads.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "stages/kernels/aligned_floats.h"
#include "stages/kernels/elementwise.h"
#include "stages/kernels/team.h"

namespace satdl::stages::kernels {

struct DenseLayer {
    std::int64_t inputs = 0, outputs = 0;
    Unit unit;  // its activation; of the last layer only for SquaredError: the other losses have theirs within
    bool trained = true;
};

struct DenseWeights {
    const float* kernel;  // [outputs, inputs]
    const float* bias;    // [outputs], or null
};

enum class ChainLoss {
    SquaredError,        // mean over samples and outputs of (y - target)^2
    CrossEntropy,        // mean over samples of -log softmax(z)[label]
    BinaryCrossEntropy,  // mean over samples and outputs, of sigmoid(z)
};

// Of all samples, from which a batch takes some. Exactly one of `samples` and `bytes` is given, and one
// of `labels` and `targets`; CrossEntropy takes labels.
struct ChainData {
    const float* samples = nullptr;        // [N, inputs of the first layer]
    const std::uint8_t* bytes = nullptr;   // the same, or null: each is divided by `scale` when a batch takes it
    float scale = 1;
    const std::int64_t* labels = nullptr;  // [N]: class numbers; of one output 0 or 1
    const float* targets = nullptr;        // [N, outputs of the last layer]
    const float* class_weights = nullptr;  // [classes], or null: factors of each sample's loss, by its label
};

struct ChainResult {
    double loss = 0;           // mean over the batch, before anything was learnt
    std::int64_t correct = 0;  // samples whose greatest output is their label's
    std::int64_t right = 0;    // BinaryCrossEntropy: outputs on the right side
};

// What becomes of gradients. Called from several threads at once, for different elements.
class Learner {
public:
    virtual ~Learner() = default;
    // Some elements of the gradient of a layer's kernel or bias, as they lie in memory.
    virtual void learn(std::size_t layer, bool bias, std::int64_t first, std::int64_t count, const float* gradient) = 0;
    // What learn() reads and writes besides for the kernel's elements from `first` on, or null: fetched beforehand.
    [[nodiscard]] virtual std::array<const float*, 3> memory(std::size_t layer, std::int64_t first) const = 0;
};

class DenseChain {
public:
    // Each layer's outputs are the next one's inputs. Layers that are not trained come before all that are, of which there
    // is one. Precondition: cpu_level() is not Baseline.
    DenseChain(std::vector<DenseLayer> layers, ChainLoss loss, std::int64_t greatest_batch, int threads);

    // One batch: samples chosen[0], chosen[1], ... `learner` may change the weights that it is called for: they are not
    // read again.
    ChainResult step(const ChainData& data, std::span<const std::int64_t> chosen, std::span<const DenseWeights> weights,
                     Learner& learner);

private:
    struct Rows {  // [batch, columns], each row beginning `stride` after the one before it
        AlignedFloats floats;
        std::int64_t stride = 0;

        [[nodiscard]] float* at(std::int64_t row, std::int64_t column = 0) const {
            return floats.get() + row * stride + column;
        }
    };

    void gather(const ChainData& data, std::span<const std::int64_t> chosen, std::int64_t first, std::int64_t last);
    void forward(std::size_t layer, const DenseWeights& weights, std::int64_t column, std::int64_t first, std::int64_t last,
                 int thread);
    void loss_of(const ChainData& data, std::span<const std::int64_t> chosen, std::int64_t sample, int thread);
    void backward(std::size_t layer, const DenseWeights& weights, std::int64_t column, std::int64_t first, std::int64_t last,
                  int thread);
    void gradients(std::size_t layer, const DenseWeights& weights, std::int64_t batch, std::int64_t first, std::int64_t last,
                   int thread, Learner& learner);
    [[nodiscard]] Phase over_panels(
        std::int64_t batch, std::int64_t columns,
        std::function<void(std::int64_t column, std::int64_t first, std::int64_t last, int thread)> job) const;
    [[nodiscard]] std::vector<Phase> by_layers(const ChainData& data, std::span<const std::int64_t> chosen,
                                               std::span<const DenseWeights> weights);
    [[nodiscard]] std::vector<Phase> by_samples(const ChainData& data, std::span<const std::int64_t> chosen,
                                                std::span<const DenseWeights> weights);
    [[nodiscard]] Phase all_gradients(std::span<const DenseWeights> weights, std::int64_t batch, Learner& learner);
    [[nodiscard]] std::int64_t outputs() const { return layers_.back().outputs; }

    std::vector<DenseLayer> layers_;
    ChainLoss loss_;
    std::size_t first_trained_ = 0;
    bool small_ = false;
    std::vector<Rows> values_;     // y_0, y_1, ..., z_L
    std::vector<Rows> gradients_;  // d_1, d_2, ... below the last layer; d_L takes the place of z_L
    struct Sample {
        double loss = 0;
        std::int64_t correct = 0, right = 0;
    };
    std::vector<Sample> samples_;         // of the batch
    std::vector<AlignedFloats> scratch_;  // by thread
    Team team_;
};

}  // namespace satdl::stages::kernels
