// The facts of one run, from its record (events.jsonl) or, for a DAG file, from its
// plan; and what its stages are, from the catalogue as it is now.
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/dag/dag.h"
#include "pipeline/os/file_system.h"
#include "pipeline/run/observer.h"

namespace satdl {

// The first of them with this role; nullptr if none has it.
[[nodiscard]] const PortDescription* port_with(PortRole role, const std::vector<PortDescription>& ports);

struct Reads {
    std::string port, from, from_port;
};

// The event `epoch` of a record.
struct EpochRow {
    std::int64_t epoch = 0;
    std::map<std::string, double> metrics;  // NaN if the number was not finite
};

struct StageFacts {
    std::string name;
    std::string kind;  // "" if the record does not say
    const StageDescription* description = nullptr;  // of the kind, as the catalogue has it now; null: it does not have the kind
    std::string about;
    std::vector<Reads> inputs;
    nlohmann::ordered_json params = nlohmann::ordered_json::object();
    std::string outcome = "not reached";  // NodeState's names; "unfinished": it had started when the record ends
    std::optional<Digest> key;
    std::optional<double> seconds, started_seconds;  // of a stage that ran; since the run began
    std::string where;                               // "job 4711 on n2", of a stage that a job executed
    std::optional<double> queued_seconds;            // that its jobs waited
    int jobs = 1;
    int threads = 1;
    std::string because, error, not_kept;
    int attempt = 1, attempts = 1;  // the last one, and how many its `retries` allow
    bool nondeterministic = false;
    std::vector<EpochRow> epochs;
    [[nodiscard]] bool has_outcome() const { return outcome == "ran" || outcome == "resumed" || outcome == "reused"; }

    // What the input of this role reads, and the output of this role; null if the description has no such port, or it is not connected.
    [[nodiscard]] const Reads* reads(PortRole role) const;
    [[nodiscard]] const PortDescription* output(PortRole role) const;
    // The name, for people, of what the input of this role reads: the value of a parameter (label_of), else the stage's name.
    [[nodiscard]] std::string label(PortRole role) const;
    // The metric of this input that a parameter names (metric_of); "" if none does.
    [[nodiscard]] std::string metric_of(PortRole role) const;
    // The first pair of metrics that it compares, if any.
    [[nodiscard]] std::optional<std::pair<std::string, std::string>> pair() const;
};

struct RunFacts {
    std::string id;  // "" if no single run produced all of this (a DAG file)
    std::string dag, file, version, host, process;
    std::optional<double> wall_time;  // when it began, seconds since 1970
    std::optional<double> seconds;    // nullopt: the record has no end
    int cores = 0;                    // 0: not known
    bool stopped = false;
    bool damaged = false;             // its record has damaged lines, which are missing here
    std::vector<StageFacts> stages;                                   // in the DAG's order if the record has the DAG
    // Of the event `sweep`: see docs/json.md.
    nlohmann::ordered_json axes = nlohmann::ordered_json::array(), points = axes, rows = axes;
    std::vector<std::string> missing;                                 // texts: what the report lacks, and why

    [[nodiscard]] StageFacts* find(const std::string& stage);
    [[nodiscard]] const StageFacts* find(const std::string& stage) const;
};

// From runs/<id>/events.jsonl. `missing` lists damaged and torn lines, which are left out, and an end that never came.
[[nodiscard]] RunFacts facts_of_run(const std::filesystem::path& store, const std::string& id, FileSystem& files);
// The same from a record's text.
[[nodiscard]] RunFacts facts_of_record(const std::string& id, const std::string& text);
// "m1" of "m1[noise_factor=0.1]": the stage of the DAG that a sweep has at each of its points.
[[nodiscard]] std::string plain_name(const std::string& stage);
// Sets the descriptions of the stages; kinds that the catalogue does not have go to `missing`. The catalogue must outlive `run`.
void describe_stages(RunFacts& run, const Catalog& catalog);
// For a DAG file as it is now: what its plan would reuse.
[[nodiscard]] RunFacts facts_of_plan(const Dag& dag, const Plan& plan, int cores);

}  // namespace satdl
