// satdl report: writes runs as one self-contained HTML page.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ranges>

#include "commands/inspect/report_page.h"
#include "commands/shared/output_file.h"
#include "commands/shared/session.h"
#include "pipeline/core/json.h"
#include "pipeline/display/text_format.h"
#include "pipeline/os/shared_library.h"
#include "pipeline/records/run_record.h"
#include "report/page.h"

namespace satdl {

namespace {

struct ReportOptions {
    DagOptions dag;
    StoreOptions store;
    std::vector<std::string> what;
    std::string out = "report.html";
    bool json = false;
};

constexpr std::size_t kRecordsToSearch = 100;

// Whether the run has every stage of the plan under the same key.
bool has_keys_of(const RunFacts& run, const RunFacts& planned) {
    if (run.dag != planned.dag) return false;
    for (const auto& stage : planned.stages) {
        const StageFacts* same = run.find(stage.name);
        if (same == nullptr || !stage.key || same->key != stage.key) return false;
    }
    return true;
}

// For a DAG file: the newest run that has all of its artifacts, with its schedule; else what the plan would reuse.
RunFacts facts_of_dag(const std::string& file, const ReportOptions& options) {
    DagOptions dag_options = options.dag;
    dag_options.file = file;
    Session session(dag_options, options.store, Access::ReadOnly);
    const Dag dag = session.dag();
    StoreCacheView cache = session.cache(dag);
    OpenStore& open = session.open();
    RunFacts planned = facts_of_plan(dag, session.plan(dag, {}, cache), session.machine().cores);
    for (const auto& id : recorded_runs(open.folder(), open.files()) | std::views::take(kRecordsToSearch)) {
        RunFacts run = facts_of_run(open.folder(), id, open.files());
        if (has_keys_of(run, planned)) return run;
    }
    for (auto& stage : planned.stages) {
        const auto last = open.index().history(dag.name, stage.name);
        if (stage.key && last && last->key == *stage.key && last->seconds > 0) stage.seconds = last->seconds;
    }
    planned.missing.emplace_back("no single run produced all of this with the current file: there is no schedule to show");
    return planned;
}

bool is_file(const std::string& what) { return std::filesystem::is_regular_file(what); }

RunFacts facts_of(const std::string& what, const ReportOptions& options) {
    if (is_file(what)) return facts_of_dag(what, options);
    if (what.find('/') != what.npos || what.ends_with(".yaml"))
        throw Error(ExitCode::Usage, fmt::format("there is no file '{}'", printable(what)));
    OpenStore open(options.store.store, Access::ReadOnly);
    RunFacts run = facts_of_run(open.folder(), find_run(open.folder(), what, open.files()), open.files());
    mark_interrupted(run, open);
    return run;
}

ExitCode report(ReportOptions options) {
    take_settings(options.what, options.dag);
    if (std::ranges::none_of(options.what, is_file)) check_settings_have_dag(options.dag);
    check_named_store(options.store);
    const auto files = real_file_system();
    std::optional<PageParts> parts;
    std::optional<OutputFile> file;
    if (!options.json) {
        parts = page_parts(program_folder() / "report", *files);
        file.emplace(options.out, "the report", "-o",
                     ProtectedFiles{.files = {options.what.begin(), options.what.end()}, .store = options.store.store});
    }
    std::vector<std::string> all = options.what;
    if (all.empty()) all.emplace_back();  // the newest run
    std::vector<RunFacts> runs;
    for (const auto& what : all) runs.push_back(facts_of(what, options));
    OpenStore open(options.store.store, Access::ReadOnly);
    const ReportPage page = report_page(std::move(runs), KnownStages(options.dag.stages), open);
    if (options.json) fmt::print("{}\n", dump_json(page.document));
    else write_page(page, *parts, *file, options.out);
    return ExitCode::Done;
}

}  // namespace

void add_report_command(Command& program) {
    program.add_command<ReportOptions>(
        "report", "write a self-contained HTML report",
        "Examples:\n"
        "  satdl report                                   the last run that ran a stage\n"
        "  satdl report dags/full.yaml --profile quick    a DAG file as it is now\n"
        "  satdl report dags/full.yaml noise_factor=0.2   ... with another value\n"
        "  satdl report 20261124T031731 -o mine.html      the run with this id or prefix\n"
        "docs/report.md explains what the page shows and where each number comes from.",
        [](Command& command, ReportOptions& options) {
            command.add_option("what", options.what, "DAG files, their parameters (name=value), or runs; default: the newest run")
                .type_name("DAG|RUN|NAME=VALUE");
            command.add_option("-o,--output", options.out, "file to write; - is stdout").type_name("FILE").show_default();
            command.add_flag("--json", options.json, "print the content of the page as JSON instead of writing it (docs/json.md)");
            add_dag_options(command, options.dag);
            add_store_options(command, options.store);
        },
        report);
}

}  // namespace satdl
