#include "pipeline/store/checkpoint_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace satdl {

double CheckpointPosition::share() const {
    const double all = static_cast<double>(epochs) * static_cast<double>(std::max<std::int64_t>(1, steps));
    if (all <= 0) return 0;
    const double done = static_cast<double>(epoch - 1) * static_cast<double>(std::max<std::int64_t>(1, steps)) + static_cast<double>(step);
    return std::clamp(done / all, 0.0, 1.0);
}

std::string CheckpointPosition::text() const {
    const std::string where = steps > 0 && step >= steps ? fmt::format("the end of epoch {}", epoch) : fmt::format("epoch {}, step {}", epoch, step);
    return fmt::format("{}, {:.0f} %", where, 100 * share());
}

CheckpointPosition position_of(const Progress& at) { return {at.epoch, at.epochs, at.epoch_ended ? at.steps : at.step, at.steps}; }

bool is_farther(const CheckpointPosition& position, const CheckpointPosition& other) {
    return std::pair(position.epoch, position.step) > std::pair(other.epoch, other.step);
}

Start choose_start(const std::optional<CheckpointPosition>& checkpoint, const std::optional<CheckpointPosition>& final_checkpoint) {
    if (final_checkpoint && (!checkpoint || is_farther(*final_checkpoint, *checkpoint))) return Start::FinalCheckpoint;
    return checkpoint ? Start::Checkpoint : Start::Beginning;
}

}  // namespace satdl
