// The events of a run as JSON, one per line, for `run --json` and for run records. docs/json.md is the user's
// view of this file.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/core/config_value.h"
#include "pipeline/run/observer.h"

namespace satdl {

// Seconds since 1970, to the millisecond: `wall_time` of every event.
[[nodiscard]] double wall_time();

// A run, and what was asked of it: its first event.
struct RunInfo {
    using Values = std::vector<std::pair<std::string, ConfigValue>>;

    std::string id;       // see new_run_id()
    std::string version;  // of satdl
    int cores = 0;        // of the machine; 0: not known
    std::string process{};  // name_with_process(), so that others can tell whether it still lives; "": not known
    std::string profile{};
    Values set{};     // what the command line gave, by parameter
    // What else is to be known of where and how it ran: the record's event `environment`, a JSON object. Called when the first stage
    // starts, or a sweep.
    std::function<std::string(const Dag&)> environment{};
    std::filesystem::path source_folder{};  // the record has the commit of the Git repository that this is in; "": of none
    bool save_diff = false;                 // and what differs from the commit, as the run's diff.patch
    Values params{};  // the DAG's parameters as they were in this run, "train.epochs"; a sweep's points have their own
};

// UTC to the microsecond and the process: sorts by time. "20261124T031731.123456-4711"
[[nodiscard]] std::string new_run_id();

class JsonEvents : public Observer {
public:
    // Receives whole lines without the line feed. `durable`: the line must survive a crash.
    using Sink = std::function<void(const std::string& line, bool durable)>;
    JsonEvents(RunInfo info, Sink sink) : info_(std::move(info)), sink_(std::move(sink)) {}

    void run_started(const Dag&, const Plan&) override;
    void stage_started(const Dag&, const PlannedNode&) override;
    void stage_waiting(const Dag&, const PlannedNode&, const std::string& holder) override;
    void stage_progress(const Dag&, NodeId, const Progress&) override;  // ends of epochs only
    void stage_log(const Dag&, NodeId, LogLevel, const std::string&) override;
    void stage_finished(const Dag&, const NodeResult&) override;
    void run_finished(const Dag&, const RunResult&) override;
    void remote_used(const RemoteUse&) override;
    void sweep_started(const Sweep&, const Workload&) override;
    void sweep_finished(const Sweep&, const SweepSummary&, const RunResult&) override;

private:
    void write_dag(const Dag& dag);

    const RunInfo info_;
    const Sink sink_;
    std::vector<NodeId> planned_;  // until the first stage starts: a run in which nothing runs writes no event `dag`
};

}  // namespace satdl
