#include "commands/inspect/report_page.h"

#include <fmt/format.h>

#include <ctime>

#include "commands/shared/run_liveness.h"
#include "pipeline/core/json.h"
#include "pipeline/core/time_text.h"
#include "pipeline/display/text_format.h"
#include "pipeline/os/shared_library.h"
#include "report/document.h"

namespace satdl {

KnownStages::KnownStages(const std::vector<std::string>& libraries) {
    try {
        catalog_ = load_catalog(program_folder(), libraries);
    } catch (const Error& error) {
        problem_ = in_one_line(error.what());
    }
}

void KnownStages::describe(RunFacts& run) const {
    if (problem_.empty())
        describe_stages(run, catalog_);
    else
        run.missing.push_back("pictures, confusion matrices and comparisons: " + problem_);
}

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

ReportPage report_page(std::vector<RunFacts> runs, const KnownStages& stages, OpenStore& open) {
    ReportPage page{
        .title = {},
        .document = {{"satdl", SATDL_VERSION}, {"made", utc_minutes_text(std::time(nullptr))}, {"runs", Json::array()}}};
    for (RunFacts& facts : runs) {
        stages.describe(facts);
        page.title +=
            (page.title.empty() ? "" : ", ") + (facts.dag.empty() ? facts.id : facts.dag);  // its name may be damaged
        page.document["runs"].push_back(run_document(std::move(facts), open.store()));
    }
    return page;
}

void write_page(const ReportPage& page, const PageParts& parts, OutputFile& file, const std::string& path) {
    const std::string html = page_html(parts, page.title + " - satdl report", dump_json(page.document));
    file.write(html);
    if (file.is_stdout()) return;
    fmt::print("{}: {}, {}\n", printable(path), printable(page.title), bytes_text(html.size()));
    for (const auto& run : page.document["runs"]) {
        for (const auto& missing : run["missing"]) fmt::print("  missing: {}\n", printable(missing.get<std::string>()));
    }
}

}  // namespace satdl
