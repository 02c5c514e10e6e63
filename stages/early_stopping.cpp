#include "stages/early_stopping.h"

namespace satdl::stages {

void watch(const StoppingOptions& options, std::int64_t epoch, double value, bool more_is_better, StoppingState& state) {
    if (!options.patience || epoch < options.start_epoch) return;
    const double gain = more_is_better ? value - state.best : state.best - value;
    if (!state.started || gain > options.min_delta) {
        state = {.started = true, .best = value, .waited = 0, .stopped = false};
        return;
    }
    ++state.waited;
    state.stopped = state.waited >= *options.patience;
}

}  // namespace satdl::stages
