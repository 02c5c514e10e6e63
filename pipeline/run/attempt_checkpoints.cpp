#include "pipeline/run/attempt_checkpoints.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace satdl {
namespace {

// What checkpoints may cost is a hundredth. The next one may take longer than the last, by which it is judged, on a machine that is
// busy: so half of that.
constexpr double kShareOfTime = 0.005;
constexpr double kFirstTakenSeconds = 0.005;  // until one was kept

std::optional<Continuation> open_continuation(const RunContext& run, const PlannedNode& planned) {
    if (run.final_checkpoints == nullptr || !planned.recipe) return std::nullopt;
    auto continuation = continuation_of(run.dag.nodes[planned.node], *planned.recipe);
    return continuation && continuation->blocker.empty() ? std::move(continuation) : std::nullopt;
}

std::string in_words(const Error& error) { return error.diagnostics().front().message; }

}  // namespace

AttemptCheckpoints::AttemptCheckpoints(const RunContext& run, const PlannedNode& planned)
    : run_(run), planned_(planned), continuation_(open_continuation(run, planned)), keeping_seconds_(kFirstTakenSeconds) {
    if (run_.checkpoints == nullptr || !planned_.key) return;
    kept_at_seconds_ = run_.clock.seconds();
    if (planned_.forced) run_.checkpoints->drop(*planned_.key);
    else load();
}

// Its own checkpoint, or the end of a shorter one where that is farther.
void AttemptCheckpoints::load() {
    last_ = run_.checkpoints->load(*planned_.key, damaged_);
    if (!continuation_) return;
    const auto end = run_.final_checkpoints->longest_prefix(continuation_->base_recipe, continuation_->target);
    if (!end || (last_ && !is_farther(*end, last_->place))) return;
    if (auto state = run_.final_checkpoints->load(continuation_->base_recipe, continuation_->target, damaged_); state && (!last_ || is_farther(state->place, last_->place))) {
        last_ = std::move(state);
        last_->place.epochs = continuation_->target;
    }
}

const NamedArrays* AttemptCheckpoints::last() {
    asked_ = true;
    return last_ ? &last_->state : nullptr;
}

std::string AttemptCheckpoints::resumed_from() const { return asked_ && last_ ? last_->place.text() : std::string(); }

std::vector<std::string> AttemptCheckpoints::warnings() const {
    std::vector<std::string> warnings;
    for (const std::string& damage : damaged_) {
        warnings.push_back(damage + (last_ ? fmt::format("; it goes on from {} instead", last_->place.text()) : "; it begins at the start"));
    }
    return warnings;
}

std::string AttemptCheckpoints::after_failure() const {
    if (!asked_ || run_.checkpoints == nullptr) return {};
    if (!kept_ && !last_) return "it has kept no checkpoint: the next run begins at the start";
    return fmt::format("its last good checkpoint is at {}: run again as it is, it goes on from there; with another parameter it begins at the start",
                       (kept_ ? *kept_ : last_->place).text());
}

bool AttemptCheckpoints::due(bool epoch_ended) {
    if (run_.checkpoints == nullptr) return false;
    const double worth_it = keeping_seconds_ / kShareOfTime;
    const double wait = epoch_ended ? worth_it : std::max(worth_it, run_.checkpoint_every_seconds);
    return run_.clock.seconds() - kept_at_seconds_ >= wait;
}

std::string AttemptCheckpoints::keep(const NamedArrays& state, const Progress& at) {
    if (run_.checkpoints == nullptr) return {};
    const double began = run_.clock.seconds();
    std::string trouble;
    try {
        run_.checkpoints->keep(*planned_.recipe, place_of(at), state);
        kept_ = place_of(at);
    } catch (const Error& error) {
        trouble = fmt::format("no checkpoint could be kept at {}: {}", place_of(at).text(), in_words(error));
    }
    kept_at_seconds_ = run_.clock.seconds();
    keeping_seconds_ = kept_at_seconds_ - began;
    return trouble;
}

std::string AttemptCheckpoints::keep_final_checkpoint(const NamedArrays& state, const Progress& at) {
    if (!continuation_) return {};
    try {
        run_.final_checkpoints->keep(continuation_->base_recipe, *planned_.key, place_of(at), state);
    } catch (const Error& error) {
        return fmt::format("its end could not be kept, a longer one will begin at the start: {}", in_words(error));
    }
    return {};
}

}  // namespace satdl
