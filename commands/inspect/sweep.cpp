// satdl sweep: past sweeps: which there are, and their tables again.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "commands/inspect/run_text.h"
#include "commands/shared/output_file.h"
#include "commands/shared/run_display.h"
#include "commands/shared/session.h"
#include "pipeline/core/json.h"
#include "pipeline/display/progress_display.h"
#include "pipeline/display/sweep_output.h"
#include "pipeline/display/text_format.h"
#include "pipeline/records/json_events.h"
#include "pipeline/records/run_record.h"
#include "pipeline/records/run_summary.h"
#include "pipeline/records/sweep_json.h"

namespace satdl {

namespace {

struct SweepListOptions {
    std::string store = kDefaultStore;
    std::vector<std::string> dags;
    bool markdown = false, json = false;
};

struct SweepShowOptions {
    std::string store = kDefaultStore;
    std::string run;
    std::string csv;
    bool markdown = false, json = false;
};

constexpr const char* kNoSweep = "`satdl run DAG NAME=1,2` runs one";

// The sweeps of these DAGs (none: of all), the newest first.
std::vector<Json> sweeps_in(OpenStore& open, const std::vector<std::string>& dags) {
    const Index::Batch one_transaction(open.index());
    std::vector<Json> sweeps;
    for (const std::string& id : recorded_runs(open.folder(), open.files())) {
        Json run = summary_of_run(open.folder(), id, open.files(), open.index());
        const bool is_wanted = dags.empty() || std::ranges::find(dags, run.at("dag").get<std::string>()) != dags.end();
        if (run.at("sweep") == true && is_wanted) sweeps.push_back(std::move(run));
    }
    for (Json& run : sweeps) run["outcome"] = outcome_of(run, open.folder());
    return sweeps;
}

std::size_t failed_points(const Json& run) {
    return static_cast<std::size_t>(
        std::ranges::count_if(run.at("points"), [](const Json& point) { return point.at("failed") != 0; }));
}

Table table_of_sweeps(const std::vector<Json>& sweeps, std::size_t id_columns) {
    const double now = wall_time();
    Table table{.title = {}, .columns = {"run", "when", "dag", "outcome", "points", "over"}, .rows = {}, .notes = {}};
    const bool any_failed = std::ranges::any_of(sweeps, [](const Json& run) { return failed_points(run) > 0; });
    const bool any_note = std::ranges::any_of(sweeps, [](const Json& run) { return !note_text(run).empty(); });
    if (any_failed) table.columns.insert(table.columns.end() - 1, "failed");
    if (any_note) table.columns.emplace_back("note");
    for (const Json& run : sweeps) {
        std::vector<std::string> axes;
        if (const Json& points = run.at("points"); !points.empty())
            for (const auto& [name, value] : points.front().at("settings").items()) axes.push_back(name);
        auto& row = table.rows.emplace_back(std::vector<std::string>{
            run.at("run").get<std::string>().substr(0, id_columns), when_text(run, now), cell_text(run.at("dag")),
            cell_text(run.at("outcome")), fmt::format("{}", run.at("points").size())});
        if (any_failed) row.push_back(fmt::format("{}", failed_points(run)));
        row.push_back(fmt::format("{}", fmt::join(axes, ", ")));
        if (any_note) row.push_back(note_text(run));
    }
    return table;
}

ExitCode list_sweeps(const SweepListOptions& options) {
    if (options.json && options.markdown)
        throw Error(ExitCode::Usage, "--json and --md cannot be combined", "choose one of them");
    check_named_store({.store = options.store, .results = {}});
    OpenStore open(options.store, Access::ReadOnly);
    const std::vector<Json> sweeps = sweeps_in(open, options.dags);
    if (options.json) {
        fmt::print("{}\n", dump_json({{"runs", sweeps}}));
    } else if (sweeps.empty()) {
        fmt::print("no sweep has run here yet\n");
    } else {
        const Table table = table_of_sweeps(sweeps, id_length(recorded_runs(open.folder(), open.files())));
        fmt::print("{}", options.markdown ? table_markdown(table) : table_text(table, stdout_columns()));
    }
    return ExitCode::Done;
}

// The run that is meant: the newest sweep, if none is named.
std::string sweep_called(const std::string& prefix, OpenStore& open) {
    if (!prefix.empty()) return find_run(open.folder(), prefix, open.files());
    const std::vector<Json> sweeps = sweeps_in(open, {});
    if (sweeps.empty()) throw Error(ExitCode::Usage, "no sweep has run here yet", kNoSweep);
    return sweeps.front().at("run").get<std::string>();
}

Json sweep_event(const std::string& run, OpenStore& open) {
    const Record record = read_record(open.folder(), run, open.files());
    const std::string line = last_event(record, "sweep");
    if (!line.empty()) return Json::parse(line);
    if (last_event(record, "sweep_started").empty())
        throw Error(ExitCode::Usage, fmt::format("run {} is no sweep", run), "`satdl sweep list` lists those that are");
    const Json summary = summary_of_run(open.folder(), run, open.files(), open.index());
    throw Error(ExitCode::Usage,
                fmt::format("the sweep {} has no table yet: it is {}", run, outcome_of(summary, open.folder())),
                "the same command again goes on with it");
}

ExitCode show_sweep(const SweepShowOptions& options) {
    if (options.json + options.markdown + !options.csv.empty() > 1)
        throw Error(ExitCode::Usage, "--json, --md and --csv cannot be combined", "choose one of them");
    check_is_store(options.store);
    OpenStore open(options.store, Access::ReadOnly);
    const std::string run = sweep_called(options.run, open);
    std::optional<OutputFile> csv;
    if (!options.csv.empty())
        csv.emplace(options.csv, "the sweep's points", "--csv", ProtectedFiles{.files = {}, .store = open.folder()});
    Json event = sweep_event(run, open);
    SweepSummary summary;
    try {
        summary = sweep_summary_of(event);
    } catch (const Json::exception&) {
        throw Error(ExitCode::Usage, fmt::format("the record of run {} was not written by this version of satdl", run),
                    "`satdl report` shows what can be read of it");
    }
    if (csv) {
        csv->write(to_csv(summary));
    } else if (options.json) {
        event.erase("check");  // of the record's line
        fmt::print("{}\n", dump_json(event));
    } else {
        const Table table = to_table(summary);
        print_text(options.markdown ? table_markdown(table) : table_text(table, stdout_columns(), label_columns(summary)));
    }
    return ExitCode::Done;
}

}  // namespace

void add_sweep_command(Command& program) {
    Command group = program.add_group("sweep", "list past sweeps, show their tables again",
                                      "`satdl run DAG name=1,2` runs a sweep; docs/runs.md explains these commands.");
    group.add_command<SweepListOptions>(
        "list", "list the sweeps of the store, the newest first", "Example:\n  satdl sweep list",
        [](Command& command, SweepListOptions& options) {
            command.add_option("dags", options.dags, "names of DAGs; default: all").type_name("DAG");
            command.add_flag("--md", options.markdown, "print a table in Markdown");
            command.add_flag("--json", options.json, "print the result as JSON, as `satdl log --json` does");
            add_store_option(command, options.store);
        },
        list_sweeps);
    group.add_command<SweepShowOptions>(
        "show", "print a sweep's table as its run did",
        "Examples:\n"
        "  satdl sweep show                             the newest sweep\n"
        "  satdl sweep show 20261124T031731             the run with this id or prefix\n"
        "  satdl sweep show --csv points.csv            its points with all digits",
        [](Command& command, SweepShowOptions& options) {
            command.add_option("run", options.run, "the run's id, or its first characters; default: the newest sweep")
                .type_name("RUN");
            command.add_option("--csv", options.csv, "write the sweep's points to this file; - is stdout").type_name("FILE");
            command.add_flag("--md", options.markdown, "print the table in Markdown");
            command.add_flag("--json", options.json, "print the event `sweep` of the run (docs/json.md)");
            add_store_option(command, options.store);
        },
        show_sweep);
}

}  // namespace satdl
