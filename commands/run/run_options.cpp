#include "commands/run/run_options.h"

namespace satdl {

void add_run_options(Command& command, RunOptions& options) {
    add_dag_file(command, options.dag);
    command.add_option("targets", options.targets, "stages or groups (default: all), and parameters: name=value, name=1,2")
        .type_name("TARGET|NAME=VALUE");
    command.add_option("-s,--single", options.single, "run only this stage; take its inputs from the store").type_name("STAGE");
    command.add_option("--downstream", options.downstream, "run this stage and everything that depends on it").type_name("STAGE");
    command.add_option("--until", options.until, "run this stage and everything that it depends on, as a target").type_name("STAGE");
    command.add_flag("-n,--dry-run", options.dry_run, "print the plan and exit");
    command.add_flag("--smoke", options.smoke,
                     "quick check: run every stage on a few samples and for one step, in memory; store nothing; "
                     "with --sweep: at every point");
    command.add_flag("-f,--force", options.force, "rerun the named stages (or all) even if they are up to date");
    command.add_flag("--isolate", options.isolate,
                     "run each stage in its own process, so that a crash fails only that stage (implies -k); each stage then starts "
                     "LibTorch and copies its inputs and outputs");
    command.add_flag("-k,--keep-going", options.limits.keep_going, "after a failure, keep running the stages that do not depend on it");
    command.add_option("-j,--jobs", options.limits.jobs, "maximum number of concurrent stages; default: limited by the cores").in_range(1, 4096);
    command.add_size("--memory", options.limits.memory_bytes,
                     "memory limit for stages and their intermediate data, such as 8GB; default: 80 % of the machine's memory");
    command
        .add_option("--checkpoint-every", options.checkpoint_every_seconds,
                    "seconds between checkpoints within an epoch; an epoch also ends with one if that costs less than 1 % of the time")
        .in_range(0.0, 1e9)
        .show_default()
        .type_name("SECONDS");
    command.add_flag("--no-ends", options.no_final_checkpoints, "").hidden();  // the former name of --no-final-checkpoints
    command.add_flag("--no-final-checkpoints", options.no_final_checkpoints,
                     "do not save or use final checkpoints (they let a longer training extend a shorter one)");
    command
        .add_option("--like", options.like, "use the profile, the parameters and the points of this run (its id, or its first characters)")
        .type_name("RUN");
    command.add_flag("--save-diff", options.save_diff, "keep what differs from the Git commit beside the run's record, as diff.patch");
    add_dag_options(command, options.dag);
    add_trust_option(command, options.dag);
    add_sweep_options(command, options.sweep);
    command.add_flag("--json", options.json, "print one JSON event per line on stdout (docs/json.md)");
    command.add_flag("-q,--quiet", options.quiet, "print neither progress nor summary");
    command.add_flag("-v,--verbose", options.verbose, "also print reused stages and the debug messages of stages");
    add_store_options(command, options.store);
    add_remote_options(command, options.remote);
}

Request request_of(const RunOptions& options) {
    Request request;
    request.targets = options.targets;
    request.targets.insert(request.targets.end(), options.until.begin(), options.until.end());
    request.single = options.single;
    request.downstream = options.downstream;
    request.force = options.force;
    return request;
}

Limits limits_of(const RunOptions& options, const Machine& machine) {
    Limits limits = default_limits(options.limits, machine);
    if (options.sweep.sweeps() || options.smoke || options.isolate) limits.keep_going = !options.sweep.fail_fast;
    if (options.isolate) limits.large_array_bytes = 0;  // what another process gives is in memory
    if (options.sweep.sweeps()) limits.cohorts = options.sweep.max_parallel;
    return limits;
}

Isolate isolation(const RunOptions& options) { return options.isolate ? Isolate::All : Isolate::IfRequested; }

DisplayMode display_mode(const RunOptions& options) {
    if (options.json) return DisplayMode::Events;
    if (options.quiet) return DisplayMode::Nothing;
    return options.verbose ? DisplayMode::Everything : DisplayMode::Progress;
}

}  // namespace satdl
