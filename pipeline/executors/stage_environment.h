// The environment that stages see: without what would change results behind their keys, or withhold threads from a stage.
//
// The libraries that stages compute with read these variables when they are loaded or first used. A result must not depend on
// what is not in its key, and `threads` is a promise: oneDNN waits for ever for OpenMP threads that never come. So the variables are
// removed before anything is loaded. ATEN_CPU_CAPABILITY stays: it is part of the key (plan/machine.h).
#pragma once

#include <string>
#include <vector>

namespace satdl {

// Must be called before a stage library is loaded and before threads are started; the workers inherit this environment.
void prepare_stage_environment();

// The user's variables that prepare_stage_environment() removed or replaced, although their values would have changed something: a
// default value would not (OMP_DYNAMIC=false). `on_gpu`: also those that only stages on a GPU would have read.
[[nodiscard]] std::vector<std::string> ignored_variables(bool on_gpu);

}  // namespace satdl
