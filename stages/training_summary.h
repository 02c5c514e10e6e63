// What a training leaves behind beside its weights: the history, and its best and last numbers.
#pragma once

#include <string>
#include <vector>

#include "stages/ports.h"
#include "stages/trainer.h"

namespace satdl::stages {

// Prefixes in a training's metrics, beside "val/loss" for the value at the best epoch of the monitored metric.
inline constexpr const char* kLast = "last/";                  // at the last epoch
inline constexpr const char* kBest = "best/";                  // this metric's own best
inline constexpr const char* kEpochOfBest = "epoch_of_best/";  // where that was

// The metrics that do not follow from the loss.
[[nodiscard]] std::vector<std::string> summary_names();

// Columns epoch, step, lr and the metrics: float64 [epochs].
[[nodiscard]] NamedArrays history_group(const TrainingHistory& history);
[[nodiscard]] Numbers summary_of(const TrainingState& state);
// Why the training ended, and when each metric was best.
[[nodiscard]] Table ending_table(const TrainingState& state, const std::string& ending);

}  // namespace satdl::stages
