// One execution of one stage: what it is given to ask of the engine, what it returned, or in a user's words why it did not.
#pragma once

#include <memory>
#include <string>

#include "pipeline/run/run_context.h"

namespace satdl {

// Whether another attempt may go otherwise.
enum class Failure {
    None,
    Passing,  // a crash, a timeout, whatever the stage threw
    Lasting,  // a mistake in the DAG, a library that does not fit, an outcome that is not as declared
};

struct Attempt {
    NodeState state = NodeState::Failed;     // Ran, Failed or Stopped
    std::shared_ptr<const StageOutput> outcome;  // Ran: with every declared output, as declared
    PortDigests digests;                     // Ran
    std::string error;                       // Failed: the stage's own words, or ours
    Failure failure = Failure::None;
    std::optional<Digest> library;           // SHA-256 of the file whose code ran, where the executor knows
    int number = 1;                          // which attempt it is (retry.h)
    std::string resumed_from;                // where it went on from, if not from the start
    double seconds = 0;
};

// Throws nothing that a stage throws. Progress and log lines go to the run's observer.
[[nodiscard]] Attempt run_attempt(const RunContext& run, const PlannedNode& planned, const StageInputs& inputs);

}  // namespace satdl
