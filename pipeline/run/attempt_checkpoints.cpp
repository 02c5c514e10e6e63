#include "pipeline/run/attempt_checkpoints.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace satdl {
namespace {

// Checkpoints may cost one percent. The next one may take longer than the last, which is the estimate, on a machine that is
// busy: so half of that.
constexpr double kShareOfTime = 0.005;
constexpr double kInitialWriteSeconds = 0.005;  // until one was written

std::optional<Continuation> open_continuation(const RunContext& run, const PlannedNode& planned) {
    if (run.final_checkpoints == nullptr || !planned.recipe) return std::nullopt;
    auto continuation = continuation_of(run.dag.nodes[planned.node], *planned.recipe);
    return continuation && continuation->blocker.empty() ? std::move(continuation) : std::nullopt;
}

std::string message_of(const Error& error) { return error.diagnostics().front().message; }

}  // namespace

AttemptCheckpoints::AttemptCheckpoints(const RunContext& run, const PlannedNode& planned)
    : run_(run), planned_(planned), continuation_(open_continuation(run, planned)), write_seconds_(kInitialWriteSeconds) {
    if (run_.checkpoints == nullptr || !planned_.key) return;
    written_at_seconds_ = run_.clock.seconds();
    switch (planned_.action) {
        case Action::Resume:
        case Action::Continue: load_planned(); break;
        case Action::Run:
            if (planned_.forced) run_.checkpoints->remove(*planned_.key);
            else (void)load(Start::Checkpoint);  // to report and quarantine those that are too damaged for the plan to see
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
    was_requested_ = true;
    return last_ ? &last_->state : nullptr;
}

std::string AttemptCheckpoints::resumed_from() const { return was_requested_ && last_ ? last_->position.text() : std::string(); }

std::vector<std::string> AttemptCheckpoints::warnings() const {
    std::vector<std::string> warnings;
    for (const std::string& damage : damaged_) {
        warnings.push_back(damage + (last_ ? fmt::format("; it resumes from {} instead", last_->position.text()) : "; it starts over"));
    }
    return warnings;
}

std::string AttemptCheckpoints::after_failure() const {
    if (!was_requested_ || run_.checkpoints == nullptr) return {};
    const bool may_write_none = run_.dag.nodes[planned_.node].command != nullptr;
    if (!written_ && !last_) return may_write_none ? "" : "it has no checkpoint: the next run starts over";
    return fmt::format("its last good checkpoint is at {}: the next run resumes there, or starts over if a parameter changes",
                       (written_ ? *written_ : last_->position).text());
}

bool AttemptCheckpoints::due(bool epoch_ended) {
    if (run_.checkpoints == nullptr) return false;
    const double worth_it = write_seconds_ / kShareOfTime;
    const double wait = epoch_ended ? worth_it : std::max(worth_it, run_.checkpoint_every_seconds);
    return run_.clock.seconds() - written_at_seconds_ >= wait;
}

std::string AttemptCheckpoints::keep(const NamedArrays& state, const Progress& at) {
    if (run_.checkpoints == nullptr) return {};
    const double began = run_.clock.seconds();
    std::string problem;
    try {
        run_.checkpoints->write(*planned_.recipe, *planned_.key, position_of(at), state);
        written_ = position_of(at);
    } catch (const Error& error) {
        problem = fmt::format("could not write a checkpoint at {}: {}", position_of(at).text(), message_of(error));
    }
    written_at_seconds_ = run_.clock.seconds();
    write_seconds_ = written_at_seconds_ - began;
    return problem;
}

std::string AttemptCheckpoints::keep_final_checkpoint(const NamedArrays& state, const Progress& at) {
    if (!continuation_) return {};
    try {
        run_.final_checkpoints->write(continuation_->base_recipe, *planned_.key, position_of(at), state);
    } catch (const Error& error) {
        return fmt::format("could not write its final checkpoint, so a longer training will start over: {}", message_of(error));
    }
    return {};
}

void choose_start_again(const RunContext& run, PlannedNode& planned) {
    if (run.checkpoints == nullptr || !planned.key) return;
    const auto continuation = planned.forced ? std::nullopt : open_continuation(run, planned);
    run.checkpoints->look_again();  // a process that was waited for may have written some
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
