// When to stop early: once the monitored metric has not improved for so many epochs in a row (Prechelt, "Early stopping -
// but when?", criterion UP; Keras' and Lightning's EarlyStopping). An improvement is one of more than `min_delta` over the
// best of the epochs from `start_epoch` on; which epoch's weights are kept does not depend on it.
#pragma once

#include <cstdint>
#include <optional>

namespace satdl::stages {

struct StoppingOptions {
    std::optional<std::int64_t> patience{};  // epochs; none: never
    double min_delta = 0;
    std::int64_t start_epoch = 1;  // the first that counts
};

// What a training remembers of it between two epochs.
struct StoppingState {
    bool started = false;
    double best = 0;           // of what counted as an improvement
    std::int64_t waited = 0;   // epochs since then
    bool stopped = false;
};

// Call it after each epoch, in order; `epoch` counts from 1.
void watch(const StoppingOptions& options, std::int64_t epoch, double value, bool more_is_better, StoppingState& state);

}  // namespace satdl::stages
