// The sweep options of `run`, and what follows from them before anything runs.
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
    std::vector<Override> overrides;  // arguments that are overrides, of several values; after `axes`
    std::optional<SweepDesign> like;  // of --like: the points of an earlier sweep
    bool section = false;             // --sweep without a value: the section `sweep:` of the file
    std::vector<std::string> repeat;  // axes that are repetitions, or "none"; empty: decided by their names
    std::vector<std::string> metrics, paired;
    std::string best;
    std::string csv;
    bool fail_fast = false;
    std::size_t max_parallel = 0;  // maximum number of concurrent points; 0: no limit

    [[nodiscard]] bool sweeps() const { return like || section || !axes.empty() || !overrides.empty(); }
};

void add_sweep_options(Command& command, SweepOptions& options);

// Throw Error{Usage}. The points of the requested sweep, as far as they are known without its DAG.
[[nodiscard]] SweepDesign requested_design(const SweepOptions& options, const Session& session);
[[nodiscard]] Sweep requested_sweep(const SweepOptions& options, const Session& session);
// Throws Error{Usage} for options that need another one.
[[nodiscard]] SweepQuery query_of(const SweepOptions& options);
// Throws Error{Usage} if no stage of the plan can report a requested metric. The metrics of a stage are known from its
// description, if it says them (see metric_names.h), or from its artifact in the store; `metrics_of`: those of a node whose
// artifact is there. If neither says them, the check is left to the end of the sweep.
void check_metrics(const SweepQuery& query, const Sweep& sweep, const Plan& plan,
                   const std::function<Metrics(const Digest&)>& metrics_of);

}  // namespace satdl
