#include "pipeline/records/json_events.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>

#include "pipeline/core/json.h"
#include "pipeline/core/time_text.h"
#include "pipeline/records/sweep_json.h"
#include "pipeline/remote/remote_use.h"
#include "pipeline/store/process_mark.h"

namespace satdl {

namespace {

Json event(std::string_view name) {
    return {{"event", name}, {"wall_time", wall_time()}};
}

std::string_view level_name(LogLevel level) {
    switch (level) {
        case LogLevel::Debug:
            return "debug";
        case LogLevel::Info:
            return "info";
        case LogLevel::Warning:
            return "warning";
    }
    return "info";
}

Json by_name(const RunInfo::Values& values) {
    Json json = Json::object();
    for (const auto& [name, value] : values) json[name] = Json::parse(value.canonical());
    return json;
}

}  // namespace

double wall_time() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return static_cast<double>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count()) / 1e3;
}

std::string new_run_id() {
    const auto now = std::chrono::system_clock::now();
    const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count();
    return fmt::format("{}-{}", utc_stamp(micros), getpid());
}

void JsonEvents::run_started(const Dag& dag, const Plan& plan) {
    Json json = event("run_started");
    json["run"] = info_.id;
    json["dag"] = dag.name;
    json["file"] = dag.file.string();
    json["stages"] = plan.nodes.size();
    json["version"] = info_.version;
    json["host"] = host_name();
    if (info_.cores > 0) json["cores"] = info_.cores;
    if (!info_.process.empty()) json["process"] = info_.process;
    if (!info_.profile.empty()) json["profile"] = info_.profile;
    json["set"] = by_name(info_.set);
    json["params"] = by_name(info_.params);
    planned_.clear();
    for (const auto& planned : plan.nodes) planned_.push_back(planned.node);
    sink_(dump_json(json), false);
}

// What is needed to draw the DAG and to show a stage's settings long after the YAML has changed.
void JsonEvents::write_dag(const Dag& dag) {
    Json json = event("dag");
    json["numerics"] = name_of(dag.numerics);
    json["stages"] = Json::array();
    for (const NodeId id : std::exchange(planned_, {})) {
        const Node& node = dag.nodes[id];
        Json inputs = Json::array();
        for (const auto& input : node.inputs) {
            inputs.push_back({{"port", input.port}, {"from", dag.nodes[input.from].name}, {"from_port", input.from_port}});
        }
        Json params = Json::object();
        if (node.command) params = Json::parse(node.command->written.canonical());
        else for (const auto& [name, value] : node.params.values()) params[name] = Json::parse(value.canonical());
        json["stages"].push_back({{"stage", node.name},
                                  {"kind", node.stage != nullptr ? node.stage->description.kind : ""},
                                  {"about", node.about},
                                  {"inputs", std::move(inputs)},
                                  {"params", std::move(params)}});
    }
    sink_(dump_json(json), false);
}

// The event `dag` follows although the sweep may run no stage: a report draws the DAG from it.
void JsonEvents::sweep_started(const Sweep& sweep, const Workload& workload) {
    Json json = event("sweep_started");
    json["run"] = info_.id;
    json["dag"] = sweep.dag.name;
    json.update(sweep_started_json(sweep, workload));
    sink_(dump_json(json), false);
    if (!planned_.empty()) write_dag(sweep.dag);
}

void JsonEvents::sweep_finished(const Sweep& sweep, const SweepSummary& summary, const RunResult& result) {
    Json json = event("sweep");
    json["run"] = info_.id;
    json["dag"] = sweep.dag.name;
    json.update(sweep_json(sweep, summary, result));
    sink_(dump_json(json), false);
}

void JsonEvents::stage_started(const Dag& dag, const PlannedNode& planned) {
    if (!planned_.empty()) write_dag(dag);
    Json json = event("stage_started");
    json["stage"] = dag.nodes[planned.node].name;
    json["threads"] = planned.threads;
    if (planned.key) json["key"] = planned.key->hex();
    json["expected_seconds"] = planned.expected_seconds ? Json(*planned.expected_seconds) : Json(nullptr);
    json["because"] = planned.because;
    sink_(dump_json(json), false);
}

void JsonEvents::stage_waiting(const Dag& dag, const PlannedNode& planned, const std::string& holder) {
    if (!planned_.empty()) write_dag(dag);
    Json json = event("stage_waiting");
    json["stage"] = dag.nodes[planned.node].name;
    if (planned.key) json["key"] = planned.key->hex();
    json["holder"] = holder;
    sink_(dump_json(json), false);
}

void JsonEvents::stage_progress(const Dag& dag, NodeId node, const Progress& progress) {
    if (!progress.epoch_ended) return;
    Json json = event("epoch");
    json["stage"] = dag.nodes[node].name;
    json["epoch"] = progress.epoch;
    json["epochs"] = progress.epochs;
    json["step"] = progress.epoch * progress.steps;
    Json metrics = Json::object();
    for (const auto& [name, value] : progress.metrics) metrics[name] = value;
    json["metrics"] = std::move(metrics);
    sink_(dump_json(json), false);
}

void JsonEvents::stage_log(const Dag& dag, NodeId node, LogLevel level, const std::string& message) {
    Json json = event("log");
    json["stage"] = dag.nodes[node].name;
    json["level"] = level_name(level);
    json["message"] = message;
    sink_(dump_json(json), false);
}

void JsonEvents::stage_finished(const Dag& dag, const NodeResult& result) {
    Json json = event("stage");
    json["stage"] = dag.nodes[result.node].name;
    json["outcome"] = state_word(result);
    json["key"] = result.key ? Json(result.key->hex()) : Json(nullptr);
    json["seconds"] = result.seconds;
    json["because"] = result.because;
    if (was_executed(result.state)) {
        json["started_seconds"] = result.started_seconds;
        json["threads"] = result.threads;
    }
    if (result.usage) {
        json["cpu_seconds"] = result.usage->process.cpu_seconds;
        json["peak_bytes"] = result.usage->process.peak_bytes;
        if (result.usage->process.shared) json["shared"] = true;
        json["read_bytes"] = result.usage->read_bytes;
        json["written_bytes"] = result.usage->written_bytes;
    }
    if (!result.resumed_from.empty()) json["resumed_from"] = result.resumed_from;
    if (result.attempts > 1) {
        json["attempt"] = result.attempt;
        json["attempts"] = result.attempts;
    }
    if (result.library) json["library_sha256"] = result.library->hex();
    if (!result.error.empty()) {
        json["error"] = result.error;
        json["place"] = dag.nodes[result.node].place.text();
    }
    if (!result.not_kept.empty()) json["not_kept"] = result.not_kept;
    if (result.nondeterministic) json["nondeterministic"] = true;
    sink_(dump_json(json), result.state == NodeState::Ran);
}

void JsonEvents::remote_used(const RemoteUse& use) {
    Json json = event("remote");
    json["place"] = use.place;
    json["found"] = use.found;
    json["downloads"] = use.downloads;
    json["downloaded_bytes"] = use.downloaded_bytes;
    json["uploads"] = use.uploads;
    json["uploaded_bytes"] = use.uploaded_bytes;
    json["lost_lookups"] = use.lost_lookups;
    json["lost_downloads"] = use.lost_downloads;
    json["lost_uploads"] = use.lost_uploads;
    json["problem"] = use.problem.empty() ? Json(nullptr) : Json(use.problem);
    sink_(dump_json(json), false);
}

void JsonEvents::run_finished(const Dag& dag, const RunResult& result) {
    Json json = event("run_finished");
    json["run"] = info_.id;
    json["dag"] = dag.name;
    json["seconds"] = result.seconds;
    json["stopped"] = result.stopped;
    for (const NodeState state : {NodeState::Ran, NodeState::Reused, NodeState::Failed, NodeState::Skipped}) {
        json[std::string(name_of(state))] = result.count(state);
    }
    json["stopped_stages"] = result.count(NodeState::Stopped);
    sink_(dump_json(json), true);
}

}  // namespace satdl
