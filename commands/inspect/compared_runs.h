// What `satdl compare` compares: runs, settings of sweeps, each with its repetitions.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "commands/inspect/report_page.h"
#include "pipeline/core/json.h"
#include "pipeline/sweep/side_comparison.h"

namespace satdl {

// For --help.
inline constexpr const char* kRunReference = "RUN, RUN[NAME=VALUE,...], [NAME=VALUE,...] or STAGE[NAME=VALUE,...]";

// One side: points that differ in repetitions alone.
struct ComparedSide {
    std::vector<std::string> runs;                // ids
    std::map<std::string, std::string> settings;  // of its sweep's axes that are no repetitions, as far as they differ
    std::map<std::string, std::vector<std::string>> params;  // of those that differ: its values, one of what does not repeat
    std::vector<ComparedPoint> points;
    std::vector<std::string> problems;  // "20261124T031731 was interrupted", "m1 was interrupted at epoch 7, resumable"
};

struct ComparedRuns {
    std::vector<ComparedSide> sides;
    std::vector<std::string> params;       // that differ, sorted
    std::vector<std::string> repetitions;  // those of them that repeat a setting
    std::vector<std::string> metrics;      // that matter most
    std::vector<std::string> all_metrics;
    std::vector<RunFacts> facts;  // of the runs, each once, with the points that are compared
};

// Arguments as in kRunReference. RUN: an id, or its first characters; of a sweep all its settings, a side each. Without a
// run: the newest sweep; with a stage: the metrics of that stage. Throws Error{Usage}: no such run, stage, axis or value
// (did you mean), fewer than two sides.
[[nodiscard]] ComparedRuns compared_runs(const std::vector<std::string>& what, OpenStore& open, const KnownStages& stages);

}  // namespace satdl
