// satdl run: plans, runs the plan, and prints the result.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>

#include "commands/run/background.h"
#include "commands/run/job_run.h"
#include "commands/run/like_run.h"
#include "commands/run/run_options.h"
#include "commands/run/run_output.h"
#include "commands/run/smoke_run.h"
#include "commands/run/sweep_messages.h"
#include "commands/shared/large_arrays_in_use.h"
#include "commands/shared/plan_json.h"
#include "commands/shared/signals.h"
#include "commands/shared/warnings.h"
#include "pipeline/core/json.h"
#include "pipeline/display/progress_display.h"
#include "pipeline/display/run_summary.h"
#include "pipeline/display/sweep_output.h"
#include "pipeline/display/text_format.h"
#include "pipeline/executors/stage_executor.h"
#include "pipeline/os/file_tree.h"
#include "pipeline/plan/disk_space.h"
#include "pipeline/records/link_results.h"
#include "pipeline/records/results_note.h"
#include "pipeline/records/run_recorder.h"
#include "pipeline/run/scheduler.h"
#include "pipeline/store/key_claims.h"
#include "pipeline/store/process_mark.h"
#include "pipeline/store/store_lock.h"

namespace satdl {

namespace {

constexpr const char* kExamples = R"(Examples:
  satdl run dags/full.yaml                  run the stages that are out of date
  satdl run dags/full.yaml m1 -n            show what would run for m1, and why
  satdl run dags/full.yaml -f -s m1         rerun only m1
  satdl run dags/full.yaml --smoke          quick check, nothing is stored
  satdl run dags/full.yaml epochs=5         set a parameter, as --set does
  satdl run dags/full.yaml m1.epochs=5      set it in one stage
  satdl run dags/full.yaml seed=1,2,3       run once per value, as --sweep does
  satdl run dags/full.yaml --like RUN       with the parameters and points of an earlier run)";

constexpr int kActionColumns = 10;  // of a plan's line; the stage's name follows

// Throws if a stage was requested with -s and one of its inputs is not in the store.
void refuse_blocked(const Dag& dag, const Plan& plan) {
    std::string message, hint;
    for (const auto& planned : plan.nodes) {
        if (planned.action != Action::Blocked) continue;
        message += fmt::format("{}{}: {}", message.empty() ? "" : "\n", dag.nodes[planned.node].name, planned.because);
        if (hint.empty())
            hint =
                fmt::format("`satdl run {} {}` also runs the stages that it needs", printable(dag.file.string()), dag.nodes[planned.node].name);
    }
    if (!message.empty()) throw Error(ExitCode::Usage, message, hint);
}

bool has_name(const std::filesystem::path& dag_file, const std::string& name) {
    try {
        return DagSource(dag_file).name() == name;
    } catch (const Error&) {
        return true;  // it cannot be read now: perhaps it is being edited
    }
}

// Throws if the links of another DAG file of the same name are where this one's would be.
void refuse_shared_results(const Dag& dag, const std::filesystem::path& results, FileSystem& files) {
    const std::filesystem::path folder = results / file_name_of(dag.name);
    const auto other = files.stamp(folder) ? other_dag_file(folder, dag, files) : std::nullopt;
    if (!other || !has_name(*other, dag.name)) return;
    throw Error(ExitCode::Usage,
                fmt::format("'{}' has the results of '{}', which has the same name as '{}': {}", printable(folder.string()),
                            printable(std::filesystem::proximate(*other).string()), printable(dag.file.string()), printable(dag.name)),
                "give one of the two another `name:`, or its own folder of results with --results");
}

void print_summary(const RunOptions& options, const Dag& dag, const RunResult& result, double seconds) {
    if (options.json || options.quiet) return;
    const bool all_reused = result.count(NodeState::Reused) == result.nodes.size();
    const std::string_view distance = all_reused ? "" : "\n";  // separates it from the progress lines
    print_text(
        fmt::format("{}{}{}\n", distance, table_text(summary_table(dag, result), stdout_columns()), summary_line(dag, result, seconds)));
}

void print_tables(const RunOptions& options, const Dag& dag, const RunResult& result, Store& store) {
    if (options.quiet) return;
    for (auto [stage, table] : final_tables(dag, result, options.targets, store)) {
        if (options.json) {
            Json event = {{"event", "table"}, {"stage", stage}};
            event.update(table_to_json(table));
            print_line(dump_json(event));
        } else {
            table.title = table.title.empty() ? stage : fmt::format("{}: {}", stage, table.title);
            print_text(fmt::format("\n{}", table_text(table, stdout_columns())));
        }
    }
}

// What running again does with the stages that were stopped, in the words of its plan.
void print_resumption(const RunOptions& options, const Dag& dag, const RunResult& result, const Plan& next) {
    if (options.json || options.quiet) return;
    for (const NodeResult& node : result.nodes) {
        const PlannedNode* planned = node.state == NodeState::Stopped ? next.find(node.node) : nullptr;
        if (planned == nullptr || !planned->starts_from) continue;
        print_text(fmt::format("running again{} resumes {} from {}\n", options.force ? " without -f" : "",
                               printable(dag.nodes[node.node].name), planned->starts_from->text()));
    }
}

// Whose files the user asked for: the named stages; without names, those that no other one of the plan reads.
std::vector<NodeId> asked_for(const Dag& dag, const Request& request, const Plan& plan) {
    std::set<NodeId> asked;
    for (const auto* names : {&request.targets, &request.single, &request.downstream}) {
        for (const std::string& name : *names) {
            const auto group = dag.groups.find(name);
            if (group != dag.groups.end()) asked.insert(group->second.begin(), group->second.end());
            else if (const Node* node = dag.find(name)) asked.insert(static_cast<NodeId>(node - dag.nodes.data()));
        }
    }
    if (asked.empty()) {
        for (const PlannedNode& planned : plan.nodes) asked.insert(planned.node);
        for (const PlannedNode& planned : plan.nodes)
            for (const Input& input : dag.nodes[planned.node].inputs) asked.erase(input.from);
    }
    return {asked.begin(), asked.end()};
}

// What the remote has still to be sent, and what there was of it.
ExitCode finish_remote(const RunOptions& options, Remote& remote, Observer& observer) {
    const bool silent = options.json || options.quiet;
    if (const std::size_t waiting = remote.store().waiting_uploads(); waiting > 0 && !silent) {
        print_text(fmt::format("uploading {} artifact{}\n", waiting, waiting == 1 ? "" : "s"));
        std::fflush(stdout);
    }
    const RemoteUse use = remote.finish();
    observer.remote_used(use);
    if (!silent) print_text(remote_line(use) + '\n');
    return use.lost_uploads > 0 && remote.cache().required() ? ExitCode::Store : ExitCode::Done;
}

// The DAG's files and those that its stages read.
std::vector<std::filesystem::path> files_of(const Dag& dag) {
    std::vector<std::filesystem::path> files{dag.file};
    for (const Node& node : dag.nodes) {
        if (node.place) files.emplace_back(node.place.source->name);
        for (const SourceFile& file : node.files) {
            if (!file.is_folder) {
                files.push_back(file.path);
                continue;
            }
            for (const std::string& name : visible_files_below(file.path)) files.push_back(file.path / name);
        }
    }
    return files;
}

ExitCode run(RunOptions options) {
    for (Override& given : take_overrides(options.targets))
        (given.several ? options.sweep.overrides : options.dag.overrides).push_back(std::move(given));
    if (!options.like.empty()) take_settings_of(options.like, options);
    if (options.dag.executor == "process") options.isolate = true;
    if (options.detach && options.smoke)
        throw Error(ExitCode::Usage, "--detach cannot be combined with --smoke", "a smoke run stores nothing and takes seconds");
    if (options.smoke) return run_smoke(options);
    if (options.sweep.csv == OutputFile::kStdout) {
        if (options.json)
            throw Error(ExitCode::Usage, "--csv - cannot be combined with --json", "name a file for one of them: --csv points.csv");
        options.quiet = true;
    }
    const std::string id = new_run_id();
    std::optional<Background> background;
    if (options.detach && !options.dry_run) {
        auto where = go_to_background(options.store.store, id);
        if (const auto* const code = std::get_if<ExitCode>(&where)) return *code;
        background = std::move(std::get<Background>(where));
    }
    const auto clock = steady_clock();
    const double began = clock->seconds();
    Session session(options.dag, options.store, options.dry_run ? Access::ReadOnly : Access::ReadWrite);
    const auto use = options.dry_run ? std::nullopt : std::optional(StoreLock::shared(session.open().folder()));
    SweepQuery query = query_of(options.sweep);
    const bool sweeping = options.sweep.sweeps();
    Sweep sweep = sweeping ? requested_sweep(options.sweep, session) : Sweep{};
    if (!sweeping) sweep.dag = session.dag();
    const Dag& dag = sweep.dag;
    refuse_shared_results(dag, options.store.results_folder(), session.open().files());

    const auto remote = open_remote(options.remote, session.open(), options.dry_run ? Access::ReadOnly : Access::ReadWrite);
    Store& store = store_of(session.open(), remote);
    CheckpointStore* const ends = options.no_final_checkpoints ? nullptr : &session.open().final_checkpoints();
    StoreCacheView cache = session.cache(dag, ends, store);
    const Request request = request_of(options);
    if (!options.dry_run) session.allow_running(dag);
    const Plan plan = session.plan(dag, request, cache);
    for (const auto* names : {&request.targets, &request.single}) query.targets.insert(query.targets.end(), names->begin(), names->end());
    mark_unused_axes(sweep, [&](NodeId node) { return plan.find(node) != nullptr; });
    check_metrics(query, sweep, plan, [&](const Digest& key) { return metrics_in(store, key); });
    const Limits limits = limits_of(options, session.machine());
    const Workload load = sweeping ? workload_of(sweep, plan, limits, session.machine().cores) : Workload{};
    if (sweeping && !options.json && !options.quiet) fmt::print("{}\n", wrapped_lines(sweep_line(load), stdout_columns(), 4));
    for (const SweepAxis& axis : sweep.axes)
        if (axis.unused) print_warning(unused_text(axis));
    if (options.dry_run) {
        fmt::print("{}", options.json ? dump_json(plan_json(dag, plan)) + '\n'
                                      : wrapped_lines(to_text(plan, dag), stdout_columns(), kActionColumns));
        return ExitCode::Done;
    }
    refuse_blocked(dag, plan);

    std::optional<OutputFile> csv;
    OpenStore& open = session.open();
    if (!options.sweep.csv.empty())
        csv.emplace(options.sweep.csv, "the sweep's points", "--csv", ProtectedFiles{.files = files_of(dag), .store = open.folder()});
    check_disk_space(bytes_to_write(dag, plan, cache), open.folder(), open.files());
    RunInfo info = session.info_of_run(id);
    info.save_diff = options.save_diff;
    const auto display = display_on_stdout(display_mode(options), info, *clock);
    const RunFolders folders{open.folder(), options.store.results_folder()};
    const auto record = run_record(folders, info, open.files(), open.index(), store, *display);
    const auto observer = broadcast({record.get(), display.get()});
    SweepStart sweep_start(*observer, sweep, load);
    const auto observer_of_run = sweeping ? broadcast({observer.get(), &sweep_start}) : broadcast({observer.get()});
    warn_of_ignored_variables(plan, session.machine());
    StageExecutor executor(session.libraries(), session.work_folder(), isolation(options));
    std::optional<LargeArraysInUse> large_arrays;
    if (!std::ranges::all_of(plan.nodes, [](const PlannedNode& node) { return node.action == Action::Reuse; }))
        large_arrays.emplace(open.folder(), limits, session.libraries());
    ClaimFiles claims(open.folder(), {.process = info.process, .host = host_name(), .run = info.id});
    const StopSignals signals;
    if (remote) {
        remote->stop_at(signals.stop());
        remote->store().upload_what_is_left();
    }
    const auto jobs = jobs_of_run(options, session, info.id, dag, plan, claims, *clock, signals, *observer);
    if (background) background->is_ready();
    const RunResult result = run_on_flow_graph({.dag = dag,
                                                .plan = plan,
                                                .machine = session.machine(),
                                                .store = store,
                                                .cache = cache,
                                                .executor = executor,
                                                .observer = *observer_of_run,
                                                .clock = *clock,
                                                .stop = signals.stop(),
                                                .limits = limits,
                                                .cohorts = only_points(sweep),
                                                .checkpoints = &open.checkpoints(),
                                                .checkpoint_every_seconds = options.checkpoint_every_seconds,
                                                .final_checkpoints = ends,
                                                .claims = &claims,
                                                .jobs = jobs.get(),
                                                .detach = &signals.hung_up(),
                                                .wanted = remote ? asked_for(dag, request, plan) : std::vector<NodeId>{}});

    print_summary(options, dag, result, clock->seconds() - began);
    if (!sweeping) print_tables(options, dag, result, store);
    print_failures(dag, result);
    if (sweeping) {
        const bool silent = options.json || options.quiet;
        report_sweep(csv ? &*csv : nullptr, silent, sweep, query, result, store, *observer);
    }
    if (signals.exit_code()) {
        Request again = request_of(options);
        again.force = false;
        StoreCacheView cache_now = session.cache(dag, ends, store);
        print_resumption(options, dag, result, session.plan(dag, again, cache_now));
    }
    ExitCode code = result.exit_code();
    if (remote) {
        const ExitCode of_remote = finish_remote(options, *remote, *observer);
        if (code == ExitCode::Done) code = of_remote;
    }
    return signals.exit_code().value_or(code);
}

}  // namespace

void add_run_command(Command& program) {
    program.add_command<RunOptions>("run", "run the stages that are out of date", kExamples, add_run_options, run);
}

}  // namespace satdl
