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

    // What the stage goes on from, once it has asked for it; nullptr: it begins at the start.
    [[nodiscard]] const NamedArrays* last();
    [[nodiscard]] std::string resumed_from() const;  // "" where it did not ask, or began at the start
    // What was found damaged, and what the stage goes on from instead.
    [[nodiscard]] std::vector<std::string> warnings() const;
    // What a person needs to know where the stage fails: from where the next run would go on. "" of a stage that keeps none.
    [[nodiscard]] std::string after_failure() const;

    // Within an epoch every so many seconds, at an epoch's end also before that; but never so often that keeping them takes more
    // than 1 % of the stage's time.
    [[nodiscard]] bool due(bool epoch_ended);
    // Why it could not be kept; "" where it was.
    [[nodiscard]] std::string keep(const NamedArrays& state, const Progress& at);
    // The same of the state in which the stage ended; not kept where nothing could begin there.
    [[nodiscard]] std::string keep_final_checkpoint(const NamedArrays& state, const Progress& at);

private:
    [[nodiscard]] std::optional<Checkpoint> load(Start start);
    void load_planned();
    void load_best();

    const RunContext& run_;
    const PlannedNode& planned_;
    const std::optional<Continuation> continuation_;  // nullopt also where final checkpoints are of no use to it
    std::optional<Checkpoint> last_;
    std::optional<CheckpointPosition> kept_;  // by this attempt
    std::vector<std::string> damaged_;
    bool asked_ = false;
    double kept_at_seconds_ = 0;  // the last one, or the start
    double keeping_seconds_;      // what the last one took, or what the first is taken to need
};

// For a node that is attempted again, after a failure or because its artifact was lost: chooses by the plan's rule from what there is now.
// Of a forced node nothing counts but its own checkpoints, which are those of this run.
void choose_start_again(const RunContext& run, PlannedNode& planned);

}  // namespace satdl
