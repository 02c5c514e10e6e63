// satdl run: plans, carries the plan out, and tells what came of it.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "commands/display.h"
#include "commands/plan_json.h"
#include "commands/session.h"
#include "commands/signals.h"
#include "commands/smoke.h"
#include "commands/stage_executor.h"
#include "commands/sweep_options.h"
#include "commands/tables.h"
#include "commands/tell_sweep.h"
#include "pipeline/report.h"
#include "pipeline/run_log.h"
#include "pipeline/schedule.h"
#include "pipeline/smoke.h"
#include "pipeline/store_use.h"
#include "pipeline/text.h"

namespace satdl {

namespace {

struct RunOptions {
    DagOptions dag;
    StoreOptions store;
    std::vector<std::string> targets, until, single, downstream;
    SweepOptions sweep;
    Limits limits;
    double checkpoint_every_seconds = 60;
    bool dry_run = false, force = false, smoke = false, isolate = false, json = false, quiet = false, verbose = false;
};

constexpr const char* kExamples = R"(Examples:
  satdl run dags/full.yaml                               everything that is not up to date
  satdl run dags/full.yaml m1 -n                         what would run for m1, and why
  satdl run dags/full.yaml -f -s m1                      just m1, once more
  satdl run dags/full.yaml --smoke                       does it all fit together? a few samples, one step, nothing kept
  satdl run dags/full.yaml noise_factor=0.2              with another value, as --set noise_factor=0.2
  satdl run dags/full.yaml noise_factor=0.1,0.2 epochs=5 once for each value, as --sweep noise_factor=0.1,0.2 --set epochs=5)";

Request request_of(const RunOptions& options) {
    Request request;
    request.targets = options.targets;
    request.targets.insert(request.targets.end(), options.until.begin(), options.until.end());
    request.single = options.single;
    request.downstream = options.downstream;
    request.force = options.force;
    return request;
}

// Somebody asked for a stage alone whose inputs were never made.
void refuse_blocked(const Dag& dag, const Plan& plan) {
    std::string message, hint;
    for (const auto& planned : plan.nodes) {
        if (planned.action != Action::Blocked) continue;
        message += fmt::format("{}{}: {}", message.empty() ? "" : "\n", dag.nodes[planned.node].name, planned.because);
        if (hint.empty())
            hint =
                fmt::format("`satdl run {} {}` makes what it needs, too", dag.file.string(), dag.nodes[planned.node].name);
    }
    if (!message.empty()) throw Error(ExitCode::Usage, message, hint);
}

Isolate isolation(const RunOptions& options) { return options.isolate ? Isolate::All : Isolate::WhereAsked; }

Shown shown(const RunOptions& options) {
    return options.json ? Shown::Events : options.quiet ? Shown::Nothing : options.verbose ? Shown::Everything : Shown::Progress;
}

// Whether anything may run; if not, the serial twin serves: it starts no thread.
bool has_work(const Plan& plan) {
    return std::any_of(plan.nodes.begin(), plan.nodes.end(),
                       [](const PlannedNode& node) { return may_run(node.action); });
}

// A sweep and a smoke run go on after a failure.
Limits limits_of(const RunOptions& options, const Machine& machine) {
    Limits limits = with_memory(options.limits, machine);
    if (options.sweep.sweeps() || options.smoke) limits.keep_going = !options.sweep.fail_fast;
    if (options.sweep.sweeps()) limits.cohorts = options.sweep.max_parallel;
    return limits;
}

// A stage's own words may hold anything.
std::string printable_lines(std::string_view text) {
    std::string lines;
    for (std::size_t from = 0; from <= text.size();) {
        const std::size_t end = std::min(text.find('\n', from), text.size());
        lines += (from == 0 ? "" : "\n") + printable(text.substr(from, end - from));
        from = end + 1;
    }
    return lines;
}

// The messages of what failed, on stderr, each once and whole.
void tell_failures(const Dag& dag, const RunResult& result) {
    std::fflush(stdout);
    if (!result.not_told.empty()) fmt::print(stderr, "satdl: not everything was told: {}\n", without_mark(result.not_told));
    for (const auto& node : result.nodes) {
        const Node& stage = dag.nodes[node.node];
        if (node.state == NodeState::Failed)
            fmt::print(stderr, "satdl: {} failed{}: {}\n", printable(stage_text(stage)),
                       node.attempt > 1 ? fmt::format(", attempt {} of {}", node.attempt, node.attempts) : "",
                       printable_lines(without_mark(node.error)));
        if (!node.not_kept.empty())
            fmt::print(stderr, "satdl: the outcome of {} was not kept: {}\n", printable(stage.name), without_mark(node.not_kept));
    }
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
            event.update(Json::parse(to_json(table)));
            print_line(dumped(event));
        } else {
            table.title = table.title.empty() ? stage : fmt::format("{}: {}", stage, table.title);
            fmt::print("\n{}", table_text(table));
        }
    }
}

// Options about what is kept, or from when.
void refuse_beside_smoke(const RunOptions& options) {
    const SweepOptions& sweep = options.sweep;
    for (const auto& [given, name] : {std::pair{options.dry_run, "--dry-run"}, {options.force, "--force"},
                                      {!options.single.empty(), "--single"}, {!sweep.metrics.empty(), "--metric"},
                                      {!sweep.best.empty(), "--best"}, {!sweep.paired.empty(), "--paired"},
                                      {!sweep.csv.empty(), "--csv"}, {!sweep.repeat.empty(), "--repeat"}}) {
        if (given)
            throw Error(ExitCode::Usage, fmt::format("{} has no meaning beside --smoke", name),
                        "a smoke run takes nothing from the store, keeps nothing, and its numbers say nothing");
    }
}

// Every stage in little, in the memory of this process: the store is not even opened.
ExitCode smoke(const RunOptions& options) {
    refuse_beside_smoke(options);
    const auto clock = steady_clock();
    const double began = clock->seconds();
    Session session(options.dag, options.store, Access::None);
    (void)question_of(options.sweep);
    const Dag dag = for_smoke(options.sweep.sweeps() ? asked_sweep(options.sweep, session).dag : session.dag());

    const auto files = real_file_system();
    MemoryStore store;
    FreshKnowledge knowledge(store, *files);
    const Plan plan = make_plan(dag, request_of(options), session.machine(), knowledge);
    const RunInfo info{new_run_id(), SATDL_VERSION, session.machine().cores};
    const auto display = options.json || options.quiet ? display_on_stdout(shown(options), info, *clock)
                                                       : std::make_unique<SmokeLines>(print_line);
    StageExecutor executor(isolation(options));
    const StopSignals signals;
    const Carrying carrying{dag, plan, session.machine(), store, knowledge, executor, *display, *clock, signals.stop()};
    const RunResult result = run_on_flow_graph(carrying, limits_of(options, session.machine()));

    if (options.json || options.quiet) tell_failures(dag, result);
    else print_line(smoke_line(dag, result, clock->seconds() - began));
    return signals.exit_code().value_or(result.exit_code());
}

ExitCode run(RunOptions options) {
    for (Override& given : take_overrides(options.targets))
        (given.several ? options.sweep.given : options.dag.given).push_back(std::move(given));
    if (options.smoke) return smoke(options);
    const auto clock = steady_clock();
    const double began = clock->seconds();
    Session session(options.dag, options.store, options.dry_run ? Access::Look : Access::Write);
    const auto use = options.dry_run ? std::nullopt : std::optional(StoreUse::shared(session.open().folder()));
    const SweepQuestion question = question_of(options.sweep);
    const bool sweeping = options.sweep.sweeps();
    Sweep sweep = sweeping ? asked_sweep(options.sweep, session) : Sweep{};
    if (!sweeping) sweep.dag = session.dag();
    const Dag& dag = sweep.dag;

    StoreKnowledge knowledge = session.knowledge(dag);
    const Plan plan = session.plan(dag, request_of(options), knowledge);
    check_metrics(question, sweep, plan, [&](const Digest& key) { return metrics_in(session.open().store(), key); });
    if (sweeping && !options.json && !options.quiet) fmt::print("{}\n", sweep_line(sweep, plan, session.machine().cores));
    if (options.dry_run) {
        fmt::print("{}", options.json ? dumped(plan_json(dag, plan)) + '\n' : to_text(plan, dag));
        return ExitCode::Done;
    }
    refuse_blocked(dag, plan);

    OpenStore& open = session.open();
    const RunInfo info{new_run_id(), SATDL_VERSION, session.machine().cores};
    const auto record = run_record({open.folder(), options.store.results}, info, open.files(), open.index(), open.store());
    const auto display = display_on_stdout(shown(options), info, *clock);
    const auto all = tell_all({record.get(), display.get()});
    SweepStart with_points(*all, sweep, session.machine().cores, info.id);
    Observer& observer = sweeping ? static_cast<Observer&>(with_points) : *all;
    StageExecutor executor(isolation(options));
    const StopSignals signals;
    const Carrying carrying{dag,       plan,   session.machine(), open.store(), knowledge, executor,
                            observer,  *clock, signals.stop(), &open.checkpoints(), options.checkpoint_every_seconds,
                            only_points(sweep)};
    const RunResult result =
        has_work(plan) ? run_on_flow_graph(carrying, limits_of(options, session.machine())) : run_serially(carrying, {});

    tell_summary(options, dag, result, clock->seconds() - began);
    if (!sweeping) tell_tables(options, dag, result, open.store());
    tell_failures(dag, result);
    if (sweeping) {
        const bool silent = options.json || options.quiet;
        tell_sweep(options.sweep, silent, sweep, question, result, open.store(), *all, info.id);
    }
    return signals.exit_code().value_or(result.exit_code());
}

void add_choice(CLI::App& command, RunOptions& options) {
    command.add_option("dag", options.dag.file, "the DAG file")->required()->type_name("DAG");
    command.add_option("targets", options.targets, "stages or groups (default: all), and parameters: name=value, name=1,2")
        ->type_name("TARGET|NAME=VALUE");
    command.add_option("-s,--single", options.single, "just this stage, its inputs from the store")
        ->allow_extra_args(false)
        ->type_name("STAGE");
    command.add_option("--downstream", options.downstream, "this stage and all that depends on it")
        ->allow_extra_args(false)
        ->type_name("STAGE");
    command.add_option("--until", options.until, "this stage and all that it needs, as a target")
        ->allow_extra_args(false)
        ->type_name("STAGE");
    command.add_flag("-n,--dry-run", options.dry_run, "print the plan and do nothing");
    command.add_flag("--smoke", options.smoke,
                     "does it all fit together? every stage on a few samples and for one step, in memory, keeping nothing; "
                     "with --sweep: every point");
    command.add_flag("-f,--force", options.force, "run the named stages (or all) though they are up to date");
    command.add_flag("--isolate", options.isolate,
                     "each stage in a process of its own: a crash fails that stage alone; costs a start of LibTorch and a copy of "
                     "inputs and outputs each");
    command.add_flag("-k,--keep-going", options.limits.keep_going, "after a failure, go on with what does not depend on it");
    command.add_option("-j,--jobs", options.limits.jobs, "stages side by side; default: as the cores admit")
        ->check(CLI::Range(1, 4096));
    command
        .add_option("--memory", options.limits.memory_bytes,
                    "for stages and what lies between them, as 8GB; default: four fifths of the machine's")
        ->transform(CLI::AsSizeValue(false));
    command
        .add_option("--checkpoint-every", options.checkpoint_every_seconds,
                    "seconds between two checkpoints within an epoch (also at its end, if that costs below 1 % of the time)")
        ->check(CLI::Range(0.0, 1e9))
        ->capture_default_str()
        ->type_name("SECONDS");
}

}  // namespace

void add_run_command(CLI::App& program, Work& work) {
    auto* command = program.add_subcommand("run", "run what is not up to date");
    command->footer(kExamples);
    const auto options = std::make_shared<RunOptions>();
    add_choice(*command, *options);
    add_dag_options(*command, options->dag);
    add_sweep_options(*command, options->sweep);
    command->add_flag("--json", options->json, "one event a line on stdout (docs/json.md)");
    command->add_flag("-q,--quiet", options->quiet, "no progress and no summary");
    command->add_flag("-v,--verbose", options->verbose, "also what is reused, and what stages say for debugging");
    add_store_options(*command, options->store);
    command->callback([options, &work] { work = [options] { return run(*options); }; });
}

}  // namespace satdl
