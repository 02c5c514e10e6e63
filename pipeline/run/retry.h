// A stage's attempts, one after another, as its `retries` allow: a transient failure (a crash, a timeout, an exception) may not occur
// the next time; a mistake in the DAG, a library that does not match or an invalid output will.
#pragma once

#include "pipeline/run/attempt.h"

namespace satdl {

// Returns the last attempt. Between two of them it waits in this thread and keeps its cores and memory; a stopped run tries no
// more. An attempt resumes from the checkpoint of the one before it. Throws nothing that a stage throws.
[[nodiscard]] Attempt run_with_retries(const RunContext& run, const PlannedNode& planned, const StageInputs& inputs);

}  // namespace satdl
