// satdl check-determinism: do stages return the same bytes again, in another process and with another number of jobs?
//
// A separate process computes the artifacts that the store lacks. Then the stages run twice in this process, one at a time, and as many
// in parallel as the cores allow; or once with each number of threads that was asked for. Their outputs are not stored.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "commands/shared/large_arrays_in_use.h"
#include "commands/shared/run_display.h"
#include "commands/shared/session.h"
#include "commands/shared/signals.h"
#include "commands/shared/warnings.h"
#include "commands/store/comparing_store.h"
#include "pipeline/core/json.h"
#include "pipeline/display/progress_display.h"
#include "pipeline/display/run_summary.h"
#include "pipeline/display/text_format.h"
#include "pipeline/executors/stage_executor.h"
#include "pipeline/os/shared_library.h"
#include "pipeline/os/subprocess.h"
#include "pipeline/plan/stage_key.h"
#include "pipeline/run/scheduler.h"
#include "pipeline/store/store_lock.h"

namespace satdl {

namespace {

struct CheckOptions {
    DagOptions dag;
    StoreOptions store;
    std::vector<std::string> stages;
    std::vector<int> threads;
    bool json = false;
};

struct Round {
    std::string name;
    Limits limits;
    std::optional<int> threads{};  // none: as planned
};

struct Finding {
    std::string stage, round;
    std::string outcome;  // "same", "different", "not compared", "failed"
    std::string details;
};

void run_missing_stages(const CheckOptions& options) {
    std::vector<std::string> argv{program_folder() / "satdl", "run", options.dag.file};
    argv.insert(argv.end(), options.stages.begin(), options.stages.end());
    argv.insert(argv.end(), {"--store", options.store.store, "--results", options.store.results_folder().string()});
    if (!options.dag.profile.empty()) argv.insert(argv.end(), {"--profile", options.dag.profile});
    for (const auto& one : options.dag.overrides) argv.insert(argv.end(), {"--set", one.place.source->text});
    for (const auto& one : options.dag.stages) argv.insert(argv.end(), {"--stages", one});
    if (options.dag.trust) argv.emplace_back("--trust");
    if (options.json) argv.emplace_back("-q");
    const auto done = run_process(argv, [](std::span<const std::byte> text) {
        std::fwrite(text.data(), 1, text.size(), stdout);
        std::fflush(stdout);
        return true;
    });
    if (done.good()) return;
    const bool has_code = done.kind == ProcessResult::Kind::Ended;
    throw Error(has_code ? static_cast<ExitCode>(done.code) : ExitCode::StageFailed,
                fmt::format("there is nothing to compare with: the first run failed: {}", done.describe()));
}

Finding finding_of(const Dag& dag, const NodeResult& node, ComparingStore& store, const std::string& round) {
    Finding finding{dag.nodes[node.node].name, round, "not compared", "its inputs differ"};
    if (node.state == NodeState::Failed) {
        finding.outcome = "failed";
        finding.details = node.error;
    }
    if (node.state != NodeState::Ran || !node.key) return finding;
    const auto comparison = store.comparison(*node.key);
    if (!comparison || !comparison->had_counterpart) return finding;
    finding.outcome = comparison->difference ? "different" : "same";
    finding.details = comparison->difference ? comparison->difference->details() : "";
    return finding;
}

Json to_json(const Finding& finding) {
    return {{"stage", finding.stage}, {"round", finding.round}, {"outcome", finding.outcome}, {"words", finding.details}};
}

void print_findings(const CheckOptions& options, const std::string& dag, const std::vector<Finding>& findings, std::size_t rounds, bool good,
                    const std::string& note) {
    if (options.json) {
        Json stages = Json::array();
        for (const auto& finding : findings) stages.push_back(to_json(finding));
        print_line(dump_json({{"dag", dag}, {"deterministic", good}, {"stages", std::move(stages)}}));
        return;
    }
    Table table{.title = {}, .columns = {"stage", "rerun", "bytes", "difference"}, .rows = {}, .notes = {}};
    for (const auto& finding : findings) table.rows.push_back({finding.stage, finding.round, finding.outcome, finding.details});
    const std::size_t stages = findings.size() / rounds;
    table.notes.push_back(fmt::format("{}: {} stage{}: {}", dag, stages, stages == 1 ? "" : "s",
                                      good ? "the same bytes each time" : "the bytes differ"));
    if (!note.empty()) table.notes.push_back(note);
    fmt::print("\n{}", table_text(table, stdout_columns()));
}

int threads_from(const std::string& text) {
    constexpr int kMost = 256;  // as in a DAG file
    int threads = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), threads);
    if (error == std::errc() && end == text.data() + text.size() && threads >= 1 && threads <= kMost) return threads;
    throw Error(ExitCode::Usage, fmt::format("--threads takes numbers from 1 to {}, not '{}'", kMost, text), "for example --threads 1,2,3");
}

std::vector<Round> rounds_of(const CheckOptions& options) {
    Limits one_at_a_time;
    one_at_a_time.jobs = 1;
    if (options.threads.empty()) return {{"one at a time", one_at_a_time}, {"side by side", {}}};
    std::vector<Round> rounds;
    for (const int threads : options.threads)
        rounds.push_back({fmt::format("{} thread{}", threads, threads == 1 ? "" : "s"), one_at_a_time, threads});
    return rounds;
}

bool takes_any_threads(const Node& node) {
    const StageDescription& description = node.stage->description;
    return description.param(ParamType::Threads) != nullptr && !has_threads_in_key(description);
}

void set_threads(const Dag& dag, int threads, Plan& plan) {
    for (PlannedNode& planned : plan.nodes)
        if (takes_any_threads(dag.nodes[planned.node])) planned.threads = threads;
}

// Numbers of threads say nothing of these: they have their own each time.
std::string note_of_own_threads(const Dag& dag, const Plan& plan) {
    std::vector<std::string> names;
    for (const PlannedNode& planned : plan.nodes)
        if (planned.forced && !takes_any_threads(dag.nodes[planned.node])) names.push_back(dag.nodes[planned.node].name);
    if (names.empty()) return "";
    return fmt::format("not with other numbers of threads, which they do not take or which are in their keys: {}", fmt::join(names, ", "));
}

ExitCode check(CheckOptions options) {
    take_settings(options.stages, options.dag);
    options.dag.executor = "local";  // what is compared is computed here
    run_missing_stages(options);
    Session session(options.dag, options.store, Access::ReadOnly);
    const StoreLock use = StoreLock::shared(session.open().folder());
    const Dag dag = session.dag();
    session.allow_running(dag);
    const auto clock = steady_clock();
    const StopSignals signals;
    const RunInfo info{"", SATDL_VERSION, session.machine().cores};
    const std::vector<Round> rounds = rounds_of(options);
    std::string note;

    std::vector<Finding> findings;
    for (const Round& round : rounds) {
        StoreCacheView cache = session.cache(dag);
        Plan plan = session.plan(dag, {.targets = options.stages, .force = true}, cache);
        if (round.threads) {
            note = note_of_own_threads(dag, plan);
            set_threads(dag, *round.threads, plan);
        }
        if (&round == &rounds.front()) warn_of_ignored_variables(plan, session.machine());
        ComparingStore store(session.open().store());
        if (!options.json) fmt::print("\nrerun, {}:\n", round.name);
        const auto display = display_on_stdout(options.json ? DisplayMode::Nothing : DisplayMode::Progress, info, *clock);
        StageExecutor executor(session.libraries(), session.work_folder());
        const Limits limits = default_limits(round.limits, session.machine());
        const LargeArraysInUse large_arrays(session.open().folder(), limits, session.libraries());
        const RunResult result = run_on_flow_graph({.dag = dag,
                                                    .plan = plan,
                                                    .machine = session.machine(),
                                                    .store = store,
                                                    .cache = cache,
                                                    .executor = executor,
                                                    .observer = *display,
                                                    .clock = *clock,
                                                    .stop = signals.stop(),
                                                    .limits = limits});
        if (const auto code = signals.exit_code()) return *code;
        for (std::size_t i = 0; i < result.nodes.size(); ++i)  // in the plan's order
            if (plan.nodes[i].forced) findings.push_back(finding_of(dag, result.nodes[i], store, round.name));
    }
    const bool good = std::ranges::all_of(findings, [](const Finding& finding) { return finding.outcome == "same"; });
    print_findings(options, dag.name, findings, rounds.size(), good, note);
    return good ? ExitCode::Done : ExitCode::StageFailed;
}

}  // namespace

void add_check_determinism_command(Command& program) {
    program.add_command<CheckOptions>(
        "check-determinism", "rerun stages and compare every byte",
        "Reruns the stages twice, one at a time and in parallel (or with each number of --threads), and stores nothing. Exit code 1: the bytes "
        "differ.\n"
        "Examples:\n  satdl check-determinism dags/full.yaml --profile quick\n"
        "  satdl check-determinism dags/full.yaml m2 evaluate_m2@test\n"
        "  satdl check-determinism dags/full.yaml m2 --threads 1,2,3",
        [](Command& command, CheckOptions& options) {
            add_dag_file(command, options.dag);
            command.add_option("stages", options.stages, "only these stages (default: all), and parameters: name=value")
                .type_name("STAGE|NAME=VALUE");
            command
                .add_option("--threads", [&options](const std::string& text) { options.threads.push_back(threads_from(text)); },
                            "rerun once with each of these numbers of threads instead, one stage at a time: 1,2,3")
                .delimiter(',')
                .type_name("N,...");
            command.add_flag("--json", options.json, "print the result as JSON (docs/json.md)");
            add_dag_options(command, options.dag);
            add_trust_option(command, options.dag);
            add_store_options(command, options.store);
        },
        check);
}

}  // namespace satdl
