#include "commands/run/run_options.h"

namespace satdl {

void add_run_options(Command& command, RunOptions& options) {
    add_dag_file(command, options.dag);
    command.add_option("targets", options.targets, "stages or groups (default: all), and parameters: name=value, name=1,2")
        .type_name("TARGET|NAME=VALUE");
    command.add_option("-s,--single", options.single, "just this stage, its inputs from the store").type_name("STAGE");
    command.add_option("--downstream", options.downstream, "this stage and all that depends on it").type_name("STAGE");
    command.add_option("--until", options.until, "this stage and all that it needs, as a target").type_name("STAGE");
    command.add_flag("-n,--dry-run", options.dry_run, "print the plan and do nothing");
    command.add_flag("--smoke", options.smoke,
                     "does it all fit together? every stage on a few samples and for one step, in memory, keeping nothing; "
                     "with --sweep: every point");
    command.add_flag("-f,--force", options.force, "run the named stages (or all) though they are up to date");
    command.add_flag("--isolate", options.isolate,
                     "each stage in a process of its own: a crash fails that stage alone, and the rest goes on (-k); costs a start of "
                     "LibTorch and a copy of inputs and outputs each");
    command.add_flag("-k,--keep-going", options.limits.keep_going, "after a failure, go on with what does not depend on it");
    command.add_option("-j,--jobs", options.limits.jobs, "stages side by side; default: as the cores admit").in_range(1, 4096);
    command.add_size("--memory", options.limits.memory_bytes,
                     "for stages and what lies between them, as 8GB; default: four fifths of the machine's");
    command
        .add_option("--checkpoint-every", options.checkpoint_every_seconds,
                    "seconds between two checkpoints within an epoch (also at its end, if that costs below 1 % of the time)")
        .in_range(0.0, 1e9)
        .show_default()
        .type_name("SECONDS");
    command.add_flag("--no-ends", options.no_ends,
                     "keep no ends of trainings for longer ones to begin at (each 3 to 4 times the weights), and begin at none");
    add_dag_options(command, options.dag);
    add_trust_option(command, options.dag);
    add_sweep_options(command, options.sweep);
    command.add_flag("--json", options.json, "one event a line on stdout (docs/json.md)");
    command.add_flag("-q,--quiet", options.quiet, "no progress and no summary");
    command.add_flag("-v,--verbose", options.verbose, "also what is reused, and what stages say for debugging");
    add_store_options(command, options.store);
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
    if (options.sweep.sweeps()) limits.cohorts = options.sweep.max_parallel;
    return limits;
}

Isolate isolation(const RunOptions& options) { return options.isolate ? Isolate::All : Isolate::WhereAsked; }

Shown shown(const RunOptions& options) {
    return options.json ? Shown::Events : options.quiet ? Shown::Nothing : options.verbose ? Shown::Everything : Shown::Progress;
}

}  // namespace satdl
