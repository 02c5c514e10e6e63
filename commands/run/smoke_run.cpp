#include "commands/run/smoke_run.h"

#include <fmt/format.h>

#include <algorithm>

#include "commands/run/run_output.h"
#include "commands/shared/signals.h"
#include "commands/shared/warnings.h"
#include "pipeline/dag/smoke_dag.h"
#include "pipeline/display/text_format.h"
#include "pipeline/run/scheduler.h"
#include "pipeline/store/memory_store.h"

namespace satdl {

namespace {

std::string remark(const Dag& dag, const NodeResult& result) {
    switch (result.state) {
        case NodeState::Ran:
        case NodeState::Stopped:
            return duration_text(result.seconds);
        case NodeState::Failed:
            return in_one_line(fmt::format("{}: {}", dag.nodes[result.node].place.text(), result.error));
        case NodeState::Reused:
        case NodeState::Skipped:
            break;
    }
    return printable(result.because);
}

// Prints one line when a stage ends, and the warnings.
class SmokeLines final : public WarningPrinter {
public:
    void run_started(const Dag& dag, const Plan& plan) override {
        for (const PlannedNode& planned : plan.nodes)
            name_width_ = std::max(name_width_, display_width(printable(dag.nodes[planned.node].name)));
    }

    void stage_log(const Dag& dag, NodeId node, LogLevel level, const std::string& message) override {
        if (level != LogLevel::Warning) return;
        print_line(fmt::format("warning  {}  {}", padded(printable(dag.nodes[node].name), name_width_), printable(message)));
    }

    void stage_finished(const Dag& dag, const NodeResult& result) override {
        // Reused: another stage of this run has produced the same artifact.
        const std::string_view word = succeeded(result.state) ? "ok" : name_of(result.state);
        print_line(fmt::format("{:<7}  {}  {}", word, padded(printable(dag.nodes[result.node].name), name_width_), remark(dag, result)));
    }

private:
    int name_width_ = 0;
};

// "full: 19 stages fit together, in 4.2 s; nothing was stored"; else how many are ok, failed, skipped.
std::string smoke_line(const Dag& dag, const RunResult& result, double seconds) {
    const std::size_t all = result.nodes.size();
    const std::size_t ok = result.count(NodeState::Ran) + result.count(NodeState::Reused);
    std::string what;
    if (ok == all) {
        what = all == 1 ? "1 stage runs" : fmt::format("{} stages fit together", all);
    } else {
        what = fmt::format("{} stage{}: {} ok", all, all == 1 ? "" : "s", ok);
        for (const NodeState state : {NodeState::Failed, NodeState::Skipped, NodeState::Stopped}) {
            if (const std::size_t count = result.count(state); count != 0) what += fmt::format(", {} {}", count, name_of(state));
        }
    }
    return fmt::format("{}: {}, in {}; nothing was stored", printable(dag.name), what, duration_text(seconds));
}

// Refuses options that only make sense with a store.
void check_smoke_options(const RunOptions& options) {
    const SweepOptions& sweep = options.sweep;
    for (const auto& [given, name] : {std::pair{options.dry_run, "--dry-run"}, {options.force, "--force"},
                                      {!options.single.empty(), "--single"}, {!sweep.metrics.empty(), "--metric"},
                                      {!sweep.best.empty(), "--best"}, {!sweep.paired.empty(), "--paired"},
                                      {!sweep.csv.empty(), "--csv"}, {!sweep.repeat.empty(), "--repeat"}}) {
        if (given)
            throw Error(ExitCode::Usage, fmt::format("{} cannot be combined with --smoke", name),
                        "a smoke run neither reads nor writes the store, and its metrics mean nothing");
    }
}

}  // namespace

ExitCode run_smoke(const RunOptions& options) {
    check_smoke_options(options);
    const auto clock = steady_clock();
    const double began = clock->seconds();
    DagOptions here = options.dag;
    here.executor = "local";  // nothing is stored, and jobs see nothing but the store
    Session session(here, options.store, std::nullopt);
    (void)query_of(options.sweep);
    const Dag dag = for_smoke(options.sweep.sweeps() ? requested_sweep(options.sweep, session).dag : session.dag());

    session.allow_running(dag);

    const auto files = real_file_system();
    MemoryStore store;
    EmptyCacheView cache(store, *files);
    const Plan plan = session.plan(dag, request_of(options), cache);
    const RunInfo info{new_run_id(), SATDL_VERSION, session.machine().cores};
    const auto display = options.json || options.quiet ? display_on_stdout(display_mode(options), info, *clock)
                                                       : std::make_unique<SmokeLines>();
    warn_of_ignored_variables(plan, session.machine());
    StageExecutor executor(session.libraries(), session.work_folder(), isolation(options));
    const StopSignals signals;
    const RunResult result = run_on_flow_graph({.dag = dag,
                                                .plan = plan,
                                                .machine = session.machine(),
                                                .store = store,
                                                .cache = cache,
                                                .executor = executor,
                                                .observer = *display,
                                                .clock = *clock,
                                                .stop = signals.stop(),
                                                .limits = limits_of(options, session.machine())});

    if (options.json || options.quiet) print_failures(dag, result);
    else print_line(smoke_line(dag, result, clock->seconds() - began));
    return signals.exit_code().value_or(result.exit_code());
}

}  // namespace satdl
