// The report's page of some runs: `satdl report`, `satdl compare --html`.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "commands/shared/output_file.h"
#include "commands/shared/session.h"
#include "pipeline/catalog/catalog.h"
#include "report/facts.h"
#include "report/page.h"

namespace satdl {

// The descriptions of the stages, which the record of a run does not have. Without them a report has less to show; that is
// no error.
class KnownStages {
public:
    explicit KnownStages(const std::vector<std::string>& libraries);
    void describe(RunFacts& run) const;  // this must outlive `run`

private:
    Catalog catalog_;
    std::string problem_;
};

// Marks stages that were killed or stopped, with the position from which the next run would resume.
void mark_interrupted(RunFacts& run, OpenStore& open);

struct ReportPage {
    std::string title;
    nlohmann::ordered_json document;
};
[[nodiscard]] ReportPage report_page(std::vector<RunFacts> runs, const KnownStages& stages, OpenStore& open);
// Says on stdout where it is (`path`, as the user named it), and what it lacks.
void write_page(const ReportPage& page, const PageParts& parts, OutputFile& file, const std::string& path);

}  // namespace satdl
