// The options of `run`, and what follows from them for the plan and its schedule.
#pragma once

#include <string>
#include <vector>

#include "commands/run/sweep_options.h"
#include "commands/shared/remote_options.h"
#include "commands/shared/run_display.h"
#include "pipeline/executors/stage_executor.h"
#include "pipeline/run/admission.h"

namespace satdl {

struct RunOptions {
    DagOptions dag;
    StoreOptions store;
    RemoteChoice remote;
    std::vector<std::string> targets, until, single, downstream;
    SweepOptions sweep;
    std::string like;  // a run, whose profile, parameters and points are taken
    Limits limits;
    double checkpoint_every_seconds = 60;
    bool dry_run = false, force = false, smoke = false, isolate = false, no_final_checkpoints = false;
    bool save_diff = false;  // what differs from the Git commit, beside the run's record
    bool json = false, quiet = false, verbose = false;
};

void add_run_options(Command& command, RunOptions& options);

[[nodiscard]] Request request_of(const RunOptions& options);
// A sweep, a smoke run and a run of isolated stages keep going after a failure.
[[nodiscard]] Limits limits_of(const RunOptions& options, const Machine& machine);
[[nodiscard]] Isolate isolation(const RunOptions& options);
[[nodiscard]] DisplayMode display_mode(const RunOptions& options);

}  // namespace satdl
