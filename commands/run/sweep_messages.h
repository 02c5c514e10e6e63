// What a sweep says of itself: before it starts how much there is to do, at its end the table; both also as events.
#pragma once

#include <string>

#include "commands/run/sweep_options.h"
#include "pipeline/run/admission.h"
#include "pipeline/run/observer.h"

namespace satdl {

// What a sweep is made of, before it starts.
struct Workload {
    std::size_t points = 0, stages = 0, shared = 0, reused = 0, to_run = 0, may_run = 0;
    std::size_t points_at_a_time = 0;  // 0: as the cores admit
    int cores = 1;
    std::optional<double> expected_seconds;
};
[[nodiscard]] Workload workload_of(const Sweep& sweep, const Plan& plan, const Limits& limits, int cores);
// "6 points: 41 stages, 9 shared by all, 12 reused, 29 to run, about 14 min on 2 cores (from earlier runs)"
[[nodiscard]] std::string sweep_line(const Workload& load);

// Passes everything on, and tells the sweep's points right after the run's start.
class SweepStart final : public Observer {
public:
    SweepStart(Observer& next, const Sweep& sweep, const Workload& load, std::string run)
        : next_(next), sweep_(sweep), load_(load), run_(std::move(run)) {}
    void run_started(const Dag& dag, const Plan& plan) override;
    void stage_started(const Dag& dag, const PlannedNode& planned) override { next_.stage_started(dag, planned); }
    void stage_progress(const Dag& dag, NodeId node, const Progress& at) override { next_.stage_progress(dag, node, at); }
    void stage_log(const Dag& dag, NodeId node, LogLevel level, const std::string& message) override {
        next_.stage_log(dag, node, level, message);
    }
    void stage_finished(const Dag& dag, const NodeResult& result) override { next_.stage_finished(dag, result); }
    void run_finished(const Dag& dag, const RunResult& result) override { next_.run_finished(dag, result); }

private:
    Observer& next_;
    const Sweep& sweep_;
    const Workload load_;
    const std::string run_;
};

// The metrics that an object's header holds; none where it is gone.
[[nodiscard]] Metrics metrics_in(Store& store, const Digest& key);

// The table, unless `silent`; the CSV file; the event `sweep`. Throws Error{Usage} at the end where a metric was asked for
// that no stage reported, though none failed.
void tell_sweep(const SweepOptions& options, bool silent, const Sweep& sweep, const SweepQuestion& question,
                const RunResult& result, Store& store, Observer& observer, const std::string& run);

}  // namespace satdl
