// `run DAG --like RUN`: the profile, the parameters and the points of an earlier run, for a DAG that has changed since. What
// the run made is reused, so that a stage that was added runs over the artifacts of all its points.
#pragma once

#include <string>

#include "commands/run/run_options.h"

namespace satdl {

// Sets what the options lack: the profile; the parameters that would be others without it (what the command line gives
// wins); the sweep. Throws Error{Usage}: no such run, a record without this, another sweep on the command line. Warns of
// parameters that the DAG no longer has.
void take_settings_of(const std::string& run, RunOptions& options);

}  // namespace satdl
