// The names of metrics, known before anything runs: they follow from the loss, the network and the targets. A test compares them with
// what the stages report (stages/loss.h).
//
//   loss             always
//   accuracy         if the targets are class numbers: how often the greatest output is the right class
//   binary_accuracy  if outputs mean yes or no (a binary loss, or sigmoids against class numbers), in evaluations whenever
//                    targets are class numbers: the share of single outputs on the right side of 0.5
//   precision/0, recall/0, ..., precision/macro, recall/macro    in evaluations, if the targets are class numbers
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/network/network.h"

namespace satdl {

struct LossFacts {
    std::string loss;  // "mse", "cross_entropy", "binary_cross_entropy"
    Activation last = Activation::None;
    Shape output;      // a sample's
    bool labels = false;  // the targets are class numbers: are_class_numbers()
};

// As a training reports them, without train/ and val/.
[[nodiscard]] std::vector<std::string> training_metrics(const LossFacts& facts);
// All that a training can report, whatever the loss.
[[nodiscard]] std::vector<std::string> all_training_metrics();
[[nodiscard]] std::vector<std::string> evaluation_metrics(const LossFacts& facts);
// How many classes an evaluation distinguishes; 0 if the targets are not classes. One output: two, no and yes.
[[nodiscard]] std::int64_t classes_of(const LossFacts& facts);

// Accuracies, precisions and recalls; for all others less is better.
[[nodiscard]] bool more_is_better(std::string_view metric);

// Shown in tables only on request: best/..., last/..., epoch_of_best/...; precision/... and recall/... of one class.
[[nodiscard]] bool is_detail(std::string_view metric);

// The one of `names` that `name` means: itself, or what Keras calls it ("val_loss": val/loss; "loss": train/loss, else
// val/loss). nullopt if there is none.
[[nodiscard]] std::optional<std::string> find_metric(std::string_view name, const std::vector<std::string>& names);

}  // namespace satdl
