// The messages of a sweep: the amount of work before it starts, the table at its end; both also as events.
#pragma once

#include <string>

#include "commands/run/sweep_options.h"
#include "commands/shared/output_file.h"
#include "pipeline/run/observer.h"
#include "pipeline/run/workload.h"

namespace satdl {

// "6 points: 41 stages, 9 shared by all, 12 reused, 29 to run, about 14 min on 2 cores (estimated from earlier runs)"
[[nodiscard]] std::string sweep_line(const Workload& load);

// Reports the sweep's points to `observer` right after the run's start. Goes behind that observer in a broadcast().
class SweepStart final : public Observer {
public:
    SweepStart(Observer& observer, const Sweep& sweep, const Workload& load) : observer_(observer), sweep_(sweep), load_(load) {}
    void run_started(const Dag&, const Plan&) override { observer_.sweep_started(sweep_, load_); }

private:
    Observer& observer_;
    const Sweep& sweep_;
    const Workload& load_;
};

// The metrics in an artifact's header; empty if the artifact is gone.
[[nodiscard]] Metrics metrics_in(Store& store, const Digest& key);

// Writes the event `sweep`, the CSV file (null: none), and unless `silent` the table. Then throws Error{Usage} if a metric was requested
// that no stage reported although none failed.
void report_sweep(OutputFile* csv, bool silent, const Sweep& sweep, const SweepQuery& query, const RunResult& result, Store& store,
                  Observer& observer);

}  // namespace satdl
