// satdl report: runs as one page of HTML that needs nothing else.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <ranges>

#include "commands/shared/session.h"
#include "pipeline/core/time_text.h"
#include "pipeline/catalog/catalog.h"
#include "pipeline/core/json.h"
#include "pipeline/display/text_format.h"
#include "pipeline/os/shared_library.h"
#include "pipeline/records/run_record.h"
#include "pipeline/store/store_lock.h"
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

// Where the run is the one that made what the DAG stands for now: every stage under the same key.
bool is_of(const RunFacts& run, const RunFacts& planned) {
    if (run.dag != planned.dag) return false;
    for (const auto& stage : planned.stages) {
        const StageFacts* same = run.find(stage.name);
        if (same == nullptr || !stage.key || same->key != stage.key) return false;
    }
    return true;
}

// Of a DAG file: the newest run that has all of it, with its schedule; else what its plan would reuse.
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
        if (is_of(run, planned)) return run;
    }
    for (auto& stage : planned.stages) {
        const auto last = open.index().history(dag.name, stage.name);
        if (stage.key && last && last->key == *stage.key && last->seconds > 0) stage.seconds = last->seconds;
    }
    planned.missing.emplace_back("no one run has all of this as the file stands now: there is no schedule to show");
    return planned;
}

bool is_file(const std::string& what) { return std::filesystem::is_regular_file(what); }

// Where nobody uses the store, a run whose record has no end is dead. Where it cannot be told, it may be alive.
bool may_be_alive(const std::filesystem::path& store_folder) {
    try {
        return StoreLock::is_used(store_folder);
    } catch (const FileError&) {
        return true;
    }
}

// What was killed, or stopped: from where the next run would go on.
void tell_interrupted(RunFacts& run, OpenStore& open) {
    const bool dead = !run.seconds && !run.damaged && !may_be_alive(open.folder());  // damaged: its end may have been told
    if (dead) run.missing.emplace_back("no run is at work in this store: it was interrupted");
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
    OpenStore open(options.store.store, Access::ReadOnly);
    RunFacts run = facts_of_run(open.folder(), find_run(open.folder(), what, open.files()), open.files());
    tell_interrupted(run, open);
    return run;
}

// The descriptions of the stages, which the record of a run does not have. Without them a report has less to show; that is no error.
class KnownStages {
public:
    explicit KnownStages(const std::vector<std::string>& libraries) {
        try {
            catalog_ = load_catalog(program_folder(), libraries);
        } catch (const Error& error) {
            trouble_ = in_one_line(error.what());
        }
    }

    // This must outlive `run`.
    void describe(RunFacts& run) const {
        if (trouble_.empty()) describe_stages(run, catalog_);
        else run.missing.push_back("pictures, confusion matrices and comparisons: " + trouble_);
    }

private:
    Catalog catalog_;
    std::string trouble_;
};

// A file that takes its name when it is whole. Opened before the work, so that a path that cannot be written is told at
// once.
class PageFile {
public:
    explicit PageFile(const std::string& path) : path_(path), partial_(path + ".partial") {
        if (std::filesystem::is_directory(path)) refuse("it is a folder");
        file_.open(partial_, std::ios::binary | std::ios::trunc);
        if (!file_) refuse(std::strerror(errno));
    }
    ~PageFile() {
        std::error_code ignored;
        if (!whole_) std::filesystem::remove(partial_, ignored);
    }
    PageFile(const PageFile&) = delete;
    PageFile& operator=(const PageFile&) = delete;

    void write(const std::string& text) {
        file_ << text;
        file_.close();
        if (!file_) refuse(std::strerror(errno));
        std::error_code error;
        std::filesystem::rename(partial_, path_, error);
        if (error) refuse(error.message());
        whole_ = true;
    }

private:
    [[noreturn]] void refuse(const std::string& why) const {
        throw Error(ExitCode::Usage, fmt::format("cannot write the report to {}: {}", printable(path_), why),
                    "-o names another file");
    }

    const std::string path_;
    const std::filesystem::path partial_;
    std::ofstream file_;
    bool whole_ = false;
};

ExitCode report(ReportOptions options) {
    take_settings(options.what, options.dag);
    if (std::ranges::none_of(options.what, is_file)) refuse_settings_alone(options.dag);
    const auto files = real_file_system();
    std::optional<PageParts> parts;
    std::optional<PageFile> file;
    if (!options.json) {
        parts = page_parts(program_folder() / "report", *files);
        file.emplace(options.out);
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
    fmt::print("{}: {}, {}\n", printable(options.out), printable(title), bytes_text(page.size()));
    for (const auto& run : document["runs"]) {
        for (const auto& missing : run["missing"]) fmt::print("  not in it: {}\n", printable(missing.get<std::string>()));
    }
    return ExitCode::Done;
}

}  // namespace

void add_report_command(Command& program) {
    program.add_command<ReportOptions>(
        "report", "runs as one HTML page that needs no network",
        "Examples:\n"
        "  satdl report                                     the newest run that ran anything\n"
        "  satdl report dags/full.yaml --profile quick      what a DAG file stands for now\n"
        "  satdl report dags/full.yaml noise_factor=0.2     ... with another value\n"
        "  satdl report 20261124T031731 -o mine.html        a run by its id (.satdl/runs/) or the first characters of it\n"
        "docs/report.md tells what the page shows and where each number comes from.",
        [](Command& command, ReportOptions& options) {
            command.add_option("what", options.what, "DAG files, their parameters (name=value), or runs; default: the newest run")
                .type_name("DAG|RUN|NAME=VALUE");
            command.add_option("-o,--output", options.out, "the page's file").type_name("FILE").show_default();
            command.add_flag("--json", options.json, "what the page shows as one JSON document on stdout, and no page");
            add_dag_options(command, options.dag);
            add_store_options(command, options.store);
        },
        report);
}

}  // namespace satdl
