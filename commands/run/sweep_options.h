// What `run` can be told of a sweep, and what follows from it before anything runs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "commands/shared/command.h"
#include "commands/shared/session.h"
#include "pipeline/sweep/sweep_summary.h"

namespace satdl {

struct SweepOptions {
    std::vector<std::string> axes;    // "name=values"
    std::vector<Override> given;      // arguments that are overrides, of several values; after `axes`
    bool section = false;             // --sweep without a value: the section `sweep:` of the file
    std::vector<std::string> repeat;  // axes that are repetitions, or "none"; empty: by their names
    std::vector<std::string> metrics, paired;
    std::string best;
    std::string csv;
    bool fail_fast = false;
    std::size_t max_parallel = 0;  // points in flight, at most; 0: no limit

    [[nodiscard]] bool sweeps() const { return section || !axes.empty() || !given.empty(); }
};

void add_sweep_options(Command& command, SweepOptions& options);

// The sweep that is asked for. Throws Error{Usage}.
[[nodiscard]] Sweep asked_sweep(const SweepOptions& options, const Session& session);
// Throws Error{Usage} for options that say nothing without others.
[[nodiscard]] SweepQuestion question_of(const SweepOptions& options);
// Throws Error{Usage} where a metric is named that no stage of the plan can report. What a stage reports is known from its
// description, where that tells (see metric_names.h), and from the outcomes that the store has; `metrics_of`: of a node whose
// outcome is there. Where neither tells, nothing is refused: the end of the sweep tells.
void check_metrics(const SweepQuestion& question, const Sweep& sweep, const Plan& plan,
                   const std::function<Metrics(const Digest&)>& metrics_of);

}  // namespace satdl
