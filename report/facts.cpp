#include "report/facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "pipeline/core/json.h"
#include "pipeline/records/run_record.h"
#include "pipeline/store/layout.h"

namespace satdl {

namespace {

double number_or_nan(const Json& json) {
    return json.is_number() ? json.get<double>() : std::numeric_limits<double>::quiet_NaN();
}

std::optional<Digest> key_in(const Json& event) {
    const auto found = event.find("key");
    return found != event.end() && found->is_string() ? Digest::from_hex(found->get<std::string>()) : std::nullopt;
}

StageFacts& stage_of(RunFacts& run, const Json& event) {
    const std::string name = event.value("stage", "");
    if (StageFacts* known = run.find(name)) return *known;
    StageFacts fresh;
    fresh.name = name;
    return run.stages.emplace_back(std::move(fresh));
}

// Puts the stages in the order of the DAG; facts from earlier events are retained.
void take_dag(RunFacts& run, const Json& event) {
    std::vector<StageFacts> ordered;
    for (const Json& described : event.at("stages")) {
        StageFacts stage = stage_of(run, described);
        stage.kind = described.value("kind", "");
        stage.about = described.value("about", "");
        for (const Json& input : described.at("inputs")) {
            stage.inputs.push_back({input.value("port", ""), input.value("from", ""), input.value("from_port", "")});
        }
        stage.params = described.value("params", Json::object());
        ordered.push_back(std::move(stage));
    }
    run.stages = std::move(ordered);
}

void take_start(RunFacts& run, const Json& event) {
    StageFacts& stage = stage_of(run, event);
    stage.outcome = "unfinished";
    stage.key = key_in(event);
    stage.threads = event.value("threads", 1);
    stage.because = event.value("because", "");
    if (run.wall_time) stage.started_seconds = event.value("wall_time", *run.wall_time) - *run.wall_time;
}

void take_outcome(RunFacts& run, const Json& event) {
    StageFacts& stage = stage_of(run, event);
    stage.outcome = event.value("outcome", "");
    stage.key = key_in(event);
    stage.because = event.value("because", "");
    stage.error = event.value("error", "");
    if (const std::string place = event.value("place", ""); !place.empty()) stage.error = place + ": " + stage.error;
    stage.not_kept = event.value("not_kept", "");
    stage.attempt = event.value("attempt", 1);
    stage.attempts = event.value("attempts", 1);
    stage.where = event.value("where", "");
    if (event.contains("queued_seconds")) stage.queued_seconds = event.value("queued_seconds", 0.0);
    stage.jobs = event.value("jobs", 1);
    stage.nondeterministic = event.value("nondeterministic", false);
    stage.threads = event.value("threads", stage.threads);
    if (event.contains("started_seconds")) {
        stage.started_seconds = event.value("started_seconds", 0.0);
        stage.seconds = event.value("seconds", 0.0);
    }
}

void take_epoch(RunFacts& run, const Json& event) {
    EpochRow row{event.value("epoch", std::int64_t{0}), {}};
    for (const auto& [name, value] : event.at("metrics").items()) row.metrics[name] = number_or_nan(value);
    stage_of(run, event).epochs.push_back(std::move(row));
}

void take(RunFacts& run, const Json& event) {
    const std::string name = event.value("event", "");
    if (name == "run_started") {
        run.dag = event.value("dag", "");
        run.file = event.value("file", "");
        run.version = event.value("version", "");
        run.host = event.value("host", "");
        run.process = event.value("process", "");
        run.cores = event.value("cores", 0);
        run.wall_time = event.value("wall_time", 0.0);
    } else if (name == "dag") {
        take_dag(run, event);
    } else if (name == "stage_started") {
        take_start(run, event);
    } else if (name == "stage") {
        take_outcome(run, event);
    } else if (name == "epoch") {
        take_epoch(run, event);
    } else if (name == "sweep") {
        run.axes = event.value("axes", Json::array());
        run.points = event.value("points", Json::array());
        run.rows = event.value("rows", Json::array());
    } else if (name == "run_finished") {
        run.seconds = event.value("seconds", 0.0);
        run.stopped = event.value("stopped", false);
    }
}

// The value of the parameter that names the stage's input of this role in `relation`; "" if none does.
std::string param_about(const StageFacts& stage, PortRole role, std::vector<std::string> ParamDescription::*relation) {
    const PortDescription* port = stage.description ? port_with(role, stage.description->inputs) : nullptr;
    if (port == nullptr) return {};
    for (const ParamDescription& param : stage.description->params) {
        if (std::ranges::find(param.*relation, port->name) == (param.*relation).end()) continue;
        const auto value = stage.params.find(param.name);
        if (value != stage.params.end() && value->is_string()) return value->get<std::string>();
    }
    return {};
}

}  // namespace

const PortDescription* port_with(PortRole role, const std::vector<PortDescription>& ports) {
    const auto found = std::ranges::find(ports, role, &PortDescription::role);
    return found == ports.end() ? nullptr : &*found;
}

const Reads* StageFacts::reads(PortRole role) const {
    const PortDescription* port = description ? port_with(role, description->inputs) : nullptr;
    if (port == nullptr) return nullptr;
    const auto found = std::ranges::find(inputs, port->name, &Reads::port);
    return found == inputs.end() ? nullptr : &*found;
}

const PortDescription* StageFacts::output(PortRole role) const {
    return description ? port_with(role, description->outputs) : nullptr;
}

std::string StageFacts::label(PortRole role) const {
    std::string label = param_about(*this, role, &ParamDescription::label_of);
    const Reads* read = reads(role);
    return label.empty() && read != nullptr ? read->from : label;
}

std::string StageFacts::metric_of(PortRole role) const { return param_about(*this, role, &ParamDescription::metric_of); }

std::optional<std::pair<std::string, std::string>> StageFacts::pair() const {
    if (description == nullptr) return std::nullopt;
    for (const PortDescription& port : description->outputs)
        if (port.metrics && !port.metrics->pairs.empty()) return port.metrics->pairs.front();
    return std::nullopt;
}

std::string plain_name(const std::string& stage) {
    return stage.ends_with(']') ? stage.substr(0, stage.find('[')) : stage;
}

void describe_stages(RunFacts& run, const Catalog& catalog) {
    std::set<std::string> unknown;  // kinds
    for (StageFacts& stage : run.stages) {
        const CatalogEntry* entry = catalog.find(stage.kind);
        stage.description = entry ? &entry->description : nullptr;
        if (entry == nullptr && !stage.kind.empty()) unknown.insert(stage.kind);
    }
    if (unknown.empty()) return;
    run.missing.push_back(fmt::format("pictures, confusion matrices and comparisons of the stages of kind {}: no stage library has it; "
                                      "load one that does with --stages or $SATDL_STAGES",
                                      fmt::join(unknown, ", ")));
}

const StageFacts* RunFacts::find(const std::string& stage) const {
    const auto found = std::ranges::find(stages, stage, &StageFacts::name);
    return found == stages.end() ? nullptr : &*found;
}

StageFacts* RunFacts::find(const std::string& stage) {
    return const_cast<StageFacts*>(std::as_const(*this).find(stage));
}

RunFacts facts_of_record(const std::string& id, const std::string& text) {
    RunFacts run;
    run.id = id;
    const Record record = checked_record(text, id);
    run.damaged = !record.damaged.empty();
    std::size_t unreadable = 0;
    for (const std::string& line : record.lines) {
        try {
            take(run, Json::parse(line));
        } catch (const Json::exception&) {
            ++unreadable;
        }
    }
    if (run.damaged)
        run.missing.push_back(damage_text(record, id) + ", and left out");
    if (record.torn > 0)
        run.missing.emplace_back("a line of the run's record is torn: the run died while it was written, or the disk was full");
    if (unreadable > 0) {
        run.missing.push_back(
            fmt::format("{} line{} of the run's record cannot be read", unreadable, unreadable == 1 ? "" : "s"));
    }
    if (!run.seconds && run.damaged) {
        run.missing.emplace_back("the run's record has no end: it is among the damaged lines, or the run never finished");
    } else if (!run.seconds) {
        run.missing.emplace_back(
            "the run's record has no end: this page shows what the run had done when the page was written");
    } else if (run.stopped) {
        run.missing.emplace_back("the run was stopped before its end");
    }
    const bool has_dag =
        std::any_of(run.stages.begin(), run.stages.end(), [](const StageFacts& one) { return !one.kind.empty(); });
    if (!has_dag) {
        run.missing.emplace_back(
            "the run's record has no DAG: no edges, no parameters of stages, and nothing that "
            "needs them (pictures, confusion matrices)");
    }
    return run;
}

RunFacts facts_of_run(const std::filesystem::path& store, const std::string& id, FileSystem& files) {
    return facts_of_record(id, record_text(store, id, files));
}

RunFacts facts_of_plan(const Dag& dag, const Plan& plan, int cores) {
    RunFacts run;
    run.dag = dag.name;
    run.file = dag.file.string();
    run.cores = cores;
    for (const auto& planned : plan.nodes) {
        const Node& node = dag.nodes[planned.node];
        StageFacts stage;
        stage.name = node.name;
        stage.kind = node.stage->description.kind;
        stage.about = node.about;
        stage.threads = planned.threads;
        stage.because = planned.because;
        for (const auto& input : node.inputs)
            stage.inputs.push_back({input.port, dag.nodes[input.from].name, input.from_port});
        for (const auto& [name, value] : node.params.values()) stage.params[name] = Json::parse(value.canonical());
        if (planned.action == Action::Reuse) {
            stage.outcome = std::string(name_of(NodeState::Reused));
            stage.key = planned.key;
        } else {
            run.missing.push_back(fmt::format("{} is out of date: {}", stage.name, planned.because));
        }
        run.stages.push_back(std::move(stage));
    }
    return run;
}

}  // namespace satdl
