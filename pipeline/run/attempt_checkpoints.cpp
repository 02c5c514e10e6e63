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
    switch (planned_.action) {
        case Action::Resume:
        case Action::Continue: load_planned(); break;
        case Action::Run:
            if (planned_.forced) run_.checkpoints->remove(*planned_.key);
            break;
        case Action::Reuse:
        case Action::Unknown:
        case Action::Blocked: SATDL_CHECK(false, "an attempt of a node that is not to run");
    }
}

std::optional<Checkpoint> AttemptCheckpoints::load(Start start) {
    if (start == Start::Checkpoint) return run_.checkpoints->load(*planned_.key, damaged_);
    if (start != Start::FinalCheckpoint || !continuation_) return std::nullopt;
    auto found = run_.final_checkpoints->load(key_of(continuation_->base_recipe), damaged_, continuation_->target);
    if (found) found->position.epochs = continuation_->target;
    return found;
}

void AttemptCheckpoints::load_planned() {
    last_ = load(planned_.action == Action::Resume ? Start::Checkpoint : Start::FinalCheckpoint);
    if (!last_ || last_->position != planned_.starts_from) load_best();
}

void AttemptCheckpoints::load_best() {
    auto own = load(Start::Checkpoint);
    auto final_one = load(Start::FinalCheckpoint);
    const auto position = [](const std::optional<Checkpoint>& one) { return one ? std::optional(one->position) : std::nullopt; };
    switch (choose_start(position(own), position(final_one))) {
        case Start::Beginning: last_.reset(); break;
        case Start::Checkpoint: last_ = std::move(own); break;
        case Start::FinalCheckpoint: last_ = std::move(final_one); break;
    }
}

const NamedArrays* AttemptCheckpoints::last() {
    asked_ = true;
    return last_ ? &last_->state : nullptr;
}

std::string AttemptCheckpoints::resumed_from() const { return asked_ && last_ ? last_->position.text() : std::string(); }

std::vector<std::string> AttemptCheckpoints::warnings() const {
    std::vector<std::string> warnings;
    for (const std::string& damage : damaged_) {
        warnings.push_back(damage + (last_ ? fmt::format("; it goes on from {} instead", last_->position.text()) : "; it begins at the start"));
    }
    return warnings;
}

std::string AttemptCheckpoints::after_failure() const {
    if (!asked_ || run_.checkpoints == nullptr) return {};
    if (!kept_ && !last_) return "it has kept no checkpoint: the next run begins at the start";
    return fmt::format("its last good checkpoint is at {}: run again as it is, it goes on from there; with another parameter it begins at the start",
                       (kept_ ? *kept_ : last_->position).text());
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
        run_.checkpoints->write(*planned_.recipe, *planned_.key, position_of(at), state);
        kept_ = position_of(at);
    } catch (const Error& error) {
        trouble = fmt::format("no checkpoint could be kept at {}: {}", position_of(at).text(), in_words(error));
    }
    kept_at_seconds_ = run_.clock.seconds();
    keeping_seconds_ = kept_at_seconds_ - began;
    return trouble;
}

std::string AttemptCheckpoints::keep_final_checkpoint(const NamedArrays& state, const Progress& at) {
    if (!continuation_) return {};
    try {
        run_.final_checkpoints->write(continuation_->base_recipe, *planned_.key, position_of(at), state);
    } catch (const Error& error) {
        return fmt::format("its end could not be kept, a longer one will begin at the start: {}", in_words(error));
    }
    return {};
}

void choose_start_again(const RunContext& run, PlannedNode& planned) {
    if (run.checkpoints == nullptr || !planned.key) return;
    const auto continuation = planned.forced ? std::nullopt : open_continuation(run, planned);
    const auto own = run.checkpoints->newest(*planned.key);
    auto final_one = continuation ? run.final_checkpoints->newest(key_of(continuation->base_recipe), continuation->target) : std::nullopt;
    if (final_one) final_one->epochs = continuation->target;
    switch (choose_start(own, final_one)) {
        case Start::Beginning:
            planned.action = Action::Run;
            planned.starts_from.reset();
            break;
        case Start::Checkpoint:
            planned.action = Action::Resume;
            planned.starts_from = own;
            break;
        case Start::FinalCheckpoint:
            planned.action = Action::Continue;
            planned.starts_from = final_one;
            break;
    }
}

}  // namespace satdl
