#include "pipeline/stage_checkpoints.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace satdl {
namespace {

constexpr double kShareOfTime = 0.01;       // what checkpoints may cost
constexpr double kFirstTakenSeconds = 0.01;  // until one was kept

}  // namespace

StageCheckpoints::StageCheckpoints(const Carrying& carrying, const PlannedNode& planned)
    : carrying_(carrying), planned_(planned), keeping_seconds_(kFirstTakenSeconds) {
    if (carrying_.checkpoints == nullptr || !planned_.key) return;
    kept_at_seconds_ = carrying_.clock.seconds();
    if (planned_.forced) {
        carrying_.checkpoints->drop(*planned_.key);
        return;
    }
    last_ = carrying_.checkpoints->load(*planned_.key);
    if (last_) damaged_ = std::exchange(last_->damaged, {});
}

const Group* StageCheckpoints::last() {
    asked_ = true;
    return last_ ? &last_->state : nullptr;
}

std::string StageCheckpoints::resumed_from() const { return asked_ && last_ ? last_->place.text() : std::string(); }

bool StageCheckpoints::due(bool epoch_ended) {
    if (carrying_.checkpoints == nullptr) return false;
    const double worth_it = keeping_seconds_ / kShareOfTime;
    const double wait = epoch_ended ? worth_it : std::max(worth_it, carrying_.checkpoint_every_seconds);
    return carrying_.clock.seconds() - kept_at_seconds_ >= wait;
}

std::string StageCheckpoints::keep(const Group& state, const Progress& at) {
    if (carrying_.checkpoints == nullptr) return {};
    const double began = carrying_.clock.seconds();
    std::string trouble;
    try {
        carrying_.checkpoints->keep(*planned_.recipe, place_of(at), state);
    } catch (const Error& error) {
        trouble = fmt::format("no checkpoint could be kept at {}: {}", place_of(at).text(), error.diagnostics().front().message);
    }
    kept_at_seconds_ = carrying_.clock.seconds();
    keeping_seconds_ = kept_at_seconds_ - began;
    return trouble;
}

}  // namespace satdl
