// One execution of one stage: what it is given to ask of the engine, what it returned, or in a user's words why it did not.
#pragma once

#include <memory>
#include <string>

#include "pipeline/executor.h"

namespace satdl {

struct Attempt {
    NodeState state = NodeState::Failed;     // Ran, Failed or Stopped
    std::shared_ptr<const Outcome> outcome;  // Ran: with every declared output, as declared
    PortDigests digests;                     // Ran
    std::string error;                       // Failed
    std::string resumed_from;                // where it went on from, if not from the start
    double seconds = 0;
};

// Throws nothing that a stage throws. `observer` is told of progress and log lines.
[[nodiscard]] Attempt attempt(const Carrying& carrying, Observer& observer, const PlannedNode& planned, const StageInputs& inputs);

// "stage m1 (train, dags/full.yaml:31:3)"
[[nodiscard]] std::string stage_text(const Node& node);

}  // namespace satdl
