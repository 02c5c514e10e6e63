// One execution of one stage: the context that it gets, what it returned, or a message for the user why it did not.
#pragma once

#include <memory>
#include <string>

#include "pipeline/run/run_context.h"

namespace satdl {

// Whether another attempt may succeed.
enum class Failure {
    None,
    Passing,  // a crash, a timeout, whatever the stage threw
    Lasting,  // a mistake in the DAG, a library that does not match, an output that is not as declared
};

struct Attempt {
    NodeState state = NodeState::Failed;     // Ran, Failed or Stopped
    std::shared_ptr<const StageOutput> outcome;  // Ran: with every declared output, as declared
    PortDigests digests;                     // Ran
    std::string error;                       // Failed: the stage's own message, or ours
    Failure failure = Failure::None;
    std::optional<Digest> library;           // SHA-256 of the file whose code ran, if the executor knows it
    int number = 1;                          // counts from 1 (retry.h)
    std::string resumed_from;                // the checkpoint that it started from, if any
    double seconds = 0;
    StageUsage usage{};
};

// Throws nothing that a stage throws. Progress and log lines go to the run's observer.
[[nodiscard]] Attempt run_attempt(const RunContext& run, const PlannedNode& planned, const StageInputs& inputs);

}  // namespace satdl
