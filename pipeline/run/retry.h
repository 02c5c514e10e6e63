// A stage's attempts, one after another, as its `retries` allow: what failed in passing (a crash, a timeout, an exception) may go well
// the next time; a mistake in the DAG, a library that does not fit or an outcome of the wrong form will not.
#pragma once

#include "pipeline/run/attempt.h"

namespace satdl {

// The last attempt. Between two of them it waits in this thread, holding on to its cores and memory; a run that is stopped tries no
// more. An attempt goes on from the checkpoint of the one before it. Throws nothing that a stage throws.
[[nodiscard]] Attempt run_with_retries(const RunContext& run, const PlannedNode& planned, const StageInputs& inputs);

}  // namespace satdl
