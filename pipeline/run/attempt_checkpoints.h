// The checkpoints of one attempt of one stage: from which it starts, and when the next is worth its time.
//
// An attempt starts where the plan says (PlannedNode::action and starts_from). Only where the checkpoint that the plan chose is damaged, or
// another process has removed it or written a later one, does it choose again, by the plan's own rule (choose_start).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pipeline/run/run_context.h"

namespace satdl {

// Used by the thread that runs the stage.
class AttemptCheckpoints {
public:
    // A forced node starts at the beginning: what an interrupted attempt left is removed.
    AttemptCheckpoints(const RunContext& run, const PlannedNode& planned);

    // What the stage starts from, once it has requested it; nullptr: it begins at the start.
    [[nodiscard]] const NamedArrays* last();
    [[nodiscard]] std::string resumed_from() const;  // "" where it did not ask, or began at the start
    // What was found damaged, and where the stage starts instead.
    [[nodiscard]] std::vector<std::string> warnings() const;
    // What a user needs to know if the stage fails: from where the next run would resume. "" for a stage without checkpoints.
    [[nodiscard]] std::string after_failure() const;

    // Within an epoch every so many seconds, at an epoch's end also before that; but never so often that writing them takes more
    // than 1 % of the stage's time.
    [[nodiscard]] bool due(bool epoch_ended);
    // Why it could not be written; "" if it was.
    [[nodiscard]] std::string keep(const NamedArrays& state, const Progress& at);
    // The same for the state in which the stage ended; not written if no other stage could start there.
    [[nodiscard]] std::string keep_final_checkpoint(const NamedArrays& state, const Progress& at);

private:
    [[nodiscard]] std::optional<Checkpoint> load(Start start);
    void load_planned();
    void load_best();

    const RunContext& run_;
    const PlannedNode& planned_;
    const std::optional<Continuation> continuation_;  // nullopt also if it cannot use final checkpoints
    std::optional<Checkpoint> last_;
    std::optional<CheckpointPosition> written_;  // by this attempt
    std::vector<std::string> damaged_;
    bool was_requested_ = false;
    double written_at_seconds_ = 0;  // of the last one, or of the start
    double write_seconds_;      // of the last one, or an estimate for the first
};

// For a node that is attempted again, after a failure or because its artifact was lost: chooses by the plan's rule from what there is now.
// Of a forced node nothing counts but its own checkpoints, which are those of this run.
void choose_start_again(const RunContext& run, PlannedNode& planned);

}  // namespace satdl
