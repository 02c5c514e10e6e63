// What a network is trained for: a loss, and the metrics that go with it.
//
// Everything starts from the output before the last activation, so that softmax with cross-entropy and sigmoid with binary
// cross-entropy are computed as one function, which neither overflows nor loses digits.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "stages/layers.h"
#include "stages/ports.h"
#include "stages/torch.h"
#include "stages/torch_network.h"

namespace satdl::stages {

enum class LossKind {
    Mse,                 // mean of squared differences
    CrossEntropy,        // of class numbers against probabilities (Keras' sparse categorical cross-entropy)
    BinaryCrossEntropy,  // of each output against 0 or 1; class numbers become one-hot
};

[[nodiscard]] LossKind loss_from_name(const std::string& name);  // "mse", "cross_entropy", "binary_cross_entropy"

// Sums over samples, from which the means of an epoch come.
struct MetricSums {
    double loss = 0;
    double correct = 0;         // samples whose greatest output is their class
    double binary_correct = 0;  // share of a sample's outputs that are on the right side of 0.5
    std::int64_t samples = 0;

    // All but the number of samples, as float64 [3], and back.
    [[nodiscard]] at::Tensor on(at::Device device) const;
    void read(const at::Tensor& sums);
};

// Which metrics: those of a training, or also binary accuracy wherever the targets are class numbers.
enum class Metrics { Usual, All };

class Objective {
public:
    // `output`: a sample's. Throws Error{StageFailed} where the targets do not fit it.
    Objective(LossKind loss, ActivationSpec last, Shape output, const at::Tensor& target, Metrics metrics = Metrics::Usual);
    // Of a network; also throws where the loss does not fit it (pipeline/network/loss_rules.h).
    Objective(LossKind loss, const Net& net, const at::Tensor& target, Metrics metrics = Metrics::Usual);
    // Of what a network elsewhere gave: probabilities, which then stand wherever `logits` is written below.
    [[nodiscard]] static Objective of_probabilities(LossKind loss, Shape output, const at::Tensor& target, Metrics metrics);

    // The targets as the other functions take them: class numbers as int64, anything else as float32.
    [[nodiscard]] at::Tensor prepare(const at::Tensor& target) const;
    // Mean over the batch: a differentiable scalar. Where nothing is differentiated, its bytes do not depend on the number of threads (on
    // the CPU).
    [[nodiscard]] at::Tensor loss(const at::Tensor& logits, const at::Tensor& target) const;
    // The same with each sample's loss times its class's weight, as Keras' class_weight: the sum is still divided by the
    // number of samples. `weights`: float32 [classes]. Precondition: the targets are class numbers.
    [[nodiscard]] at::Tensor loss(const at::Tensor& logits, const at::Tensor& target, const at::Tensor& weights) const;
    [[nodiscard]] bool has_classes() const { return labels_; }
    [[nodiscard]] std::int64_t classes() const { return output_[0] == 1 ? 2 : output_[0]; }  // of class numbers
    // int64 [N]: the class that each sample is taken for. Precondition: as above.
    [[nodiscard]] at::Tensor predicted(const at::Tensor& logits) const;
    void add_to(MetricSums& sums, const at::Tensor& logits, const at::Tensor& target, double loss) const;
    // The same to sums on the device of the logits, without waiting for it. They hold all but the number of samples.
    void add_to(at::Tensor& sums, const at::Tensor& logits, const at::Tensor& target, const at::Tensor& loss) const;
    // See pipeline/network/metric_names.h for the names.
    [[nodiscard]] Numbers means(const MetricSums& sums) const;
    [[nodiscard]] at::Tensor output(const at::Tensor& logits) const { return activated_ ? logits : activate(last_, logits, false); }

private:
    void check_fit(const at::Tensor& target) const;
    void check_labels(const at::Tensor& target) const;
    [[nodiscard]] bool is_measurable(const at::Tensor& logits) const;
    [[nodiscard]] double measured_loss(const at::Tensor& logits, const at::Tensor& target) const;
    [[nodiscard]] at::Tensor losses(const at::Tensor& logits, const at::Tensor& target, bool each) const;
    [[nodiscard]] bool counts_classes() const { return labels_ && output_[0] > 1; }
    [[nodiscard]] static at::Tensor right_classes(const at::Tensor& logits, const at::Tensor& target) { return logits.argmax(1).eq(target); }
    [[nodiscard]] at::Tensor right_answers(const at::Tensor& logits, const at::Tensor& target) const;
    [[nodiscard]] at::Tensor yes_and_no(const at::Tensor& logits, const at::Tensor& target) const;
    [[nodiscard]] at::Tensor log_probabilities(const at::Tensor& logits) const;
    // Whether a sample's probabilities are the softmax of its logits.
    [[nodiscard]] bool is_softmax() const {
        return last_.kind == Activation::Softmax || (last_.kind == Activation::None && loss_ == LossKind::CrossEntropy);
    }

    // Above it, an output that means yes or no is a yes.
    [[nodiscard]] double threshold() const { return activated_ ? 0.5 : 0; }

    LossKind loss_;
    ActivationSpec last_;
    bool activated_ = false;  // the `logits` have been through it
    Shape output_;
    bool labels_;  // the targets are class numbers
    bool binary_;  // outputs are also measured as yes and no
};

}  // namespace satdl::stages
