// satdl report: writes runs as one self-contained HTML page.
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>
#include <ranges>

#include "commands/shared/output_file.h"
#include "commands/shared/run_liveness.h"
#include "commands/shared/session.h"
#include "pipeline/catalog/catalog.h"
#include "pipeline/core/json.h"
#include "pipeline/core/time_text.h"
#include "pipeline/display/text_format.h"
#include "pipeline/os/shared_library.h"
#include "pipeline/records/run_record.h"
#include "report/document.h"
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

// Marks stages that were killed or stopped, with the position from which the next run would resume.
void mark_interrupted(RunFacts& run, OpenStore& open) {
    // Damaged: its end may be among the damaged lines.
    const bool dead = !run.seconds && !run.damaged && !may_be_running(run.process, open.folder());
    if (dead) run.missing.emplace_back("the run was interrupted: its process is gone");
    for (StageFacts& stage : run.stages) {
        const bool was_killed = dead && stage.outcome == "unfinished";
        if (!was_killed && stage.outcome != "stopped") continue;
        const auto place = stage.key ? open.checkpoints().newest(*stage.key) : std::nullopt;
        if (was_killed || place) stage.outcome = "interrupted";
        if (!place) continue;
        stage.because = fmt::format("interrupted at {}, resumable", place->text());
        run.missing.push_back(fmt::format("{} was {}", stage.name, stage.because));
    }
}

RunFacts facts_of(const std::string& what, const ReportOptions& options) {
    if (is_file(what)) return facts_of_dag(what, options);
    if (what.find('/') != what.npos || what.ends_with(".yaml"))
        throw Error(ExitCode::Usage, fmt::format("there is no file '{}'", printable(what)));
    OpenStore open(options.store.store, Access::ReadOnly);
    RunFacts run = facts_of_run(open.folder(), find_run(open.folder(), what, open.files()), open.files());
    mark_interrupted(run, open);
    return run;
}

// The descriptions of the stages, which the record of a run does not have. Without them a report has less to show; that is no error.
class KnownStages {
public:
    explicit KnownStages(const std::vector<std::string>& libraries) {
        try {
            catalog_ = load_catalog(program_folder(), libraries);
        } catch (const Error& error) {
            problem_ = in_one_line(error.what());
        }
    }

    // This must outlive `run`.
    void describe(RunFacts& run) const {
        if (problem_.empty()) describe_stages(run, catalog_);
        else run.missing.push_back("pictures, confusion matrices and comparisons: " + problem_);
    }

private:
    Catalog catalog_;
    std::string problem_;
};

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
    Json document = {{"satdl", SATDL_VERSION}, {"made", utc_minutes_text(std::time(nullptr))}, {"runs", Json::array()}};
    std::string title;
    const KnownStages stages(options.dag.stages);
    for (const auto& what : all) {
        RunFacts facts = facts_of(what, options);
        stages.describe(facts);
        title += (title.empty() ? "" : ", ") + (facts.dag.empty() ? facts.id : facts.dag);  // its name may be damaged
        OpenStore open(options.store.store, Access::ReadOnly);
        document["runs"].push_back(run_document(std::move(facts), open.store()));
    }
    if (options.json) {
        fmt::print("{}\n", dump_json(document));
        return ExitCode::Done;
    }
    const std::string page = page_html(*parts, title + " - satdl report", dump_json(document));
    file->write(page);
    if (file->is_stdout()) return ExitCode::Done;
    fmt::print("{}: {}, {}\n", printable(options.out), printable(title), bytes_text(page.size()));
    for (const auto& run : document["runs"]) {
        for (const auto& missing : run["missing"]) fmt::print("  missing: {}\n", printable(missing.get<std::string>()));
    }
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
