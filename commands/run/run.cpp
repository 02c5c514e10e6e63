// satdl run: plans, carries the plan out, and tells what came of it.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "commands/run/run_options.h"
#include "commands/run/run_output.h"
#include "commands/run/smoke_run.h"
#include "commands/run/sweep_messages.h"
#include "commands/shared/plan_json.h"
#include "commands/shared/signals.h"
#include "pipeline/core/json.h"
#include "pipeline/display/run_summary.h"
#include "pipeline/display/sweep_output.h"
#include "pipeline/display/text_format.h"
#include "pipeline/executors/stage_executor.h"
#include "pipeline/plan/disk_space.h"
#include "pipeline/records/run_recorder.h"
#include "pipeline/run/scheduler.h"
#include "pipeline/store/store_lock.h"

namespace satdl {

namespace {

constexpr const char* kExamples = R"(Examples:
  satdl run dags/full.yaml                               everything that is not up to date
  satdl run dags/full.yaml m1 -n                         what would run for m1, and why
  satdl run dags/full.yaml -f -s m1                      just m1, once more
  satdl run dags/full.yaml --smoke                       does it all fit together? a few samples, one step, nothing kept
  satdl run dags/full.yaml noise_factor=0.2              with another value, as --set noise_factor=0.2
  satdl run dags/full.yaml noise_factor=0.1,0.2 epochs=5 once for each value, as --sweep noise_factor=0.1,0.2 --set epochs=5)";

// Somebody asked for a stage alone whose inputs were never made.
void refuse_blocked(const Dag& dag, const Plan& plan) {
    std::string message, hint;
    for (const auto& planned : plan.nodes) {
        if (planned.action != Action::Blocked) continue;
        message += fmt::format("{}{}: {}", message.empty() ? "" : "\n", dag.nodes[planned.node].name, planned.because);
        if (hint.empty())
            hint =
                fmt::format("`satdl run {} {}` makes what it needs, too", printable(dag.file.string()), dag.nodes[planned.node].name);
    }
    if (!message.empty()) throw Error(ExitCode::Usage, message, hint);
}

void tell_summary(const RunOptions& options, const Dag& dag, const RunResult& result, double seconds) {
    if (options.json || options.quiet) return;
    const bool all_reused = result.count(NodeState::Reused) == result.nodes.size();
    const std::string_view distance = all_reused ? "" : "\n";  // from the lines of progress
    fmt::print("{}{}{}\n", distance, table_text(summary_table(dag, result)), summary_line(dag, result, seconds));
}

void tell_tables(const RunOptions& options, const Dag& dag, const RunResult& result, Store& store) {
    if (options.quiet) return;
    for (auto [stage, table] : final_tables(dag, result, options.targets, store)) {
        if (options.json) {
            Json event = {{"event", "table"}, {"stage", stage}};
            event.update(table_to_json(table));
            print_line(dump_json(event));
        } else {
            table.title = table.title.empty() ? stage : fmt::format("{}: {}", stage, table.title);
            fmt::print("\n{}", table_text(table));
        }
    }
}

ExitCode run(RunOptions options) {
    for (Override& given : take_overrides(options.targets))
        (given.several ? options.sweep.given : options.dag.overrides).push_back(std::move(given));
    if (options.smoke) return run_smoke(options);
    const auto clock = steady_clock();
    const double began = clock->seconds();
    Session session(options.dag, options.store, options.dry_run ? Access::ReadOnly : Access::ReadWrite);
    const auto use = options.dry_run ? std::nullopt : std::optional(StoreLock::shared(session.open().folder()));
    const SweepQuestion question = question_of(options.sweep);
    const bool sweeping = options.sweep.sweeps();
    Sweep sweep = sweeping ? asked_sweep(options.sweep, session) : Sweep{};
    if (!sweeping) sweep.dag = session.dag();
    const Dag& dag = sweep.dag;

    CheckpointStore* const ends = options.no_ends ? nullptr : &session.open().final_checkpoints();
    StoreCacheView cache = session.cache(dag, ends);
    const Plan plan = session.plan(dag, request_of(options), cache);
    check_metrics(question, sweep, plan, [&](const Digest& key) { return metrics_in(session.open().store(), key); });
    const Limits limits = limits_of(options, session.machine());
    const Workload load = sweeping ? workload_of(sweep, plan, limits, session.machine().cores) : Workload{};
    if (sweeping && !options.json && !options.quiet) fmt::print("{}\n", sweep_line(load));
    if (options.dry_run) {
        fmt::print("{}", options.json ? dump_json(plan_json(dag, plan)) + '\n' : to_text(plan, dag));
        return ExitCode::Done;
    }
    session.refuse_files_of_others();
    refuse_blocked(dag, plan);

    OpenStore& open = session.open();
    check_disk_space(bytes_to_write(dag, plan, cache), open.folder(), open.files());
    const RunInfo info{new_run_id(), SATDL_VERSION, session.machine().cores};
    const auto display = display_on_stdout(shown(options), info, *clock);
    const auto record = run_record({open.folder(), options.store.results}, info, open.files(), open.index(), open.store(), *display);
    const auto observer = broadcast({record.get(), display.get()});
    SweepStart sweep_start(*observer, sweep, load);
    const auto observer_of_run = sweeping ? broadcast({observer.get(), &sweep_start}) : broadcast({observer.get()});
    StageExecutor executor(session.libraries(), isolation(options));
    const StopSignals signals;
    const RunResult result = run_on_flow_graph({.dag = dag,
                                                .plan = plan,
                                                .machine = session.machine(),
                                                .store = open.store(),
                                                .cache = cache,
                                                .executor = executor,
                                                .observer = *observer_of_run,
                                                .clock = *clock,
                                                .stop = signals.stop(),
                                                .limits = limits,
                                                .cohorts = only_points(sweep),
                                                .checkpoints = &open.checkpoints(),
                                                .checkpoint_every_seconds = options.checkpoint_every_seconds,
                                                .final_checkpoints = ends});

    tell_summary(options, dag, result, clock->seconds() - began);
    if (!sweeping) tell_tables(options, dag, result, open.store());
    tell_failures(dag, result);
    if (sweeping) {
        const bool silent = options.json || options.quiet;
        tell_sweep(options.sweep, silent, sweep, question, result, open.store(), *observer);
    }
    return signals.exit_code().value_or(result.exit_code());
}

}  // namespace

void add_run_command(Command& program) {
    program.add_command<RunOptions>("run", "run what is not up to date", kExamples, add_run_options, run);
}

}  // namespace satdl
