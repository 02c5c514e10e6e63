#include "pipeline/records/sweep_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace satdl {

namespace {

// A setting as JSON: canonical text is JSON already, except bare text.
Json setting_json(const std::string& canonical) {
    Json parsed = Json::parse(canonical, nullptr, false);
    return parsed.is_discarded() ? Json(canonical) : parsed;
}

Json optional_number(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

Json axes_json(const std::vector<SweepAxis>& axes) {
    Json all = Json::array();
    for (const SweepAxis& axis : axes) {
        Json values = Json::array();
        for (const ConfigValue& value : axis.values) values.push_back(Json::parse(value.canonical()));
        all.push_back({{"param", axis.name}, {"values", std::move(values)}, {"repeats", axis.repeats}, {"unused", axis.unused}});
    }
    return all;
}

Json settings_json(const std::vector<SweepAxis>& axes, const std::vector<std::string>& settings, bool with_repetitions) {
    Json json = Json::object();
    for (std::size_t i = 0; i < axes.size(); ++i) {
        if (with_repetitions || !axes[i].repeats) json[axes[i].name] = setting_json(settings[i]);
    }
    return json;
}

// Stage of the single DAG -> its name in the merged DAG.
Json stages_json(const SweepPoint& point, const Dag& dag) {
    Json stages = Json::object();
    for (std::size_t i = 0; i < point.nodes.size(); ++i) stages[point.names[i]] = {{"stage", dag.nodes[point.nodes[i]].name}};
    return stages;
}

// The same, with the state in which it ended: null if the run did not include it. `results`: by NodeId.
Json stages_json(const SweepPoint& point, const Dag& dag, const std::vector<const NodeResult*>& results) {
    Json stages = Json::object();
    for (std::size_t i = 0; i < point.nodes.size(); ++i) {
        const NodeResult* const result = results[point.nodes[i]];
        stages[point.names[i]] = {{"stage", dag.nodes[point.nodes[i]].name},
                                  {"outcome", result != nullptr ? Json(name_of(result->state)) : Json(nullptr)},
                                  {"key", result != nullptr && result->key ? Json(result->key->hex()) : Json(nullptr)}};
    }
    return stages;
}

Json point_json(const SweepSummary& summary, const SweepSummary::Point& point, const Dag& dag) {
    Json metrics = Json::object(), failures = Json::array();
    for (std::size_t i = 0; i < point.metrics.size(); ++i) metrics[summary.metrics[i]] = optional_number(point.metrics[i]);
    for (const auto& failure : point.failures)
        failures.push_back({{"stage", dag.nodes[failure.node].name}, {"error", failure.error}});
    return {{"settings", settings_json(summary.axes, point.settings, true)},
            {"metrics", std::move(metrics)},
            {"row", point.row},
            {"failures", std::move(failures)}};
}

Json paired_json(const SweepSummary& summary, const SweepSummary::Paired& paired) {
    const auto bound = [&](double Interval::* end) { return paired.interval ? std::optional(*paired.interval.*end) : std::nullopt; };
    return {{"a", summary.metrics[paired.a]},
            {"b", summary.metrics[paired.b]},
            {"mean", optional_number(paired.difference.mean)},
            {"sd", optional_number(paired.difference.sd)},
            {"n", paired.difference.n},
            {"same", paired.same},
            {"varying", paired.varying},
            {"low", optional_number(bound(&Interval::low))},
            {"high", optional_number(bound(&Interval::high))},
            {"told_from_zero", paired.interval ? Json(!paired.interval->has_zero()) : Json(nullptr)},
            {"words", describe(summary, paired)}};
}

Json row_json(const SweepSummary& summary, const SweepSummary::Row& row) {
    Json metrics = Json::object(), paired = Json::array();
    for (std::size_t i = 0; i < row.metrics.size(); ++i) {
        const Sample& sample = row.metrics[i];
        Json values = Json::array();
        for (const std::size_t point : row.points) values.push_back(optional_number(summary.points[point].metrics[i]));
        metrics[summary.metrics[i]] = {{"mean", optional_number(sample.mean)},
                                       {"sd", optional_number(sample.sd)},
                                       {"n", sample.n},
                                       {"values", std::move(values)}};
    }
    for (const auto& one : row.paired) paired.push_back(paired_json(summary, one));
    const auto failed = std::ranges::count_if(row.points, [&](std::size_t point) { return !summary.points[point].failures.empty(); });
    return {{"settings", settings_json(summary.axes, summary.points[row.points.front()].settings, false)},
            {"points", row.points},
            {"failed", failed},
            {"best", row.best},
            {"metrics", std::move(metrics)},
            {"paired", std::move(paired)}};
}

// Canonical text again, as far as tables show it.
std::string setting_of(const Json& value) { return value.is_number_float() ? canonical_number(value.get<double>()) : value.dump(); }

std::vector<std::string> settings_of(const std::vector<SweepAxis>& axes, const Json& settings) {
    std::vector<std::string> texts;
    for (const SweepAxis& axis : axes) texts.push_back(setting_of(settings.at(axis.name)));
    return texts;
}

std::optional<double> optional_number(const Json& value) {
    return value.is_null() ? std::nullopt : std::optional(value.get<double>());
}

SweepSummary::Point point_of(const SweepSummary& summary, const Json& json) {
    SweepSummary::Point point;
    point.settings = settings_of(summary.axes, json.at("settings"));
    for (const std::string& metric : summary.metrics) point.metrics.push_back(optional_number(json.at("metrics").at(metric)));
    for (const Json& failure : json.at("failures")) point.failures.push_back({0, failure.at("error").get<std::string>()});
    for (const Json& stage : json.at("stages")) {
        const Json& outcome = stage.at("outcome");
        point.is_unfinished = point.is_unfinished || outcome == name_of(NodeState::Skipped) || outcome == name_of(NodeState::Stopped);
    }
    point.row = json.at("row").get<std::size_t>();
    return point;
}

Sample sample_in(const Json& json) {
    return {.n = json.at("n").get<std::size_t>(), .mean = optional_number(json.at("mean")), .sd = optional_number(json.at("sd"))};
}

SweepSummary::Paired paired_of(const SweepSummary& summary, const SweepSummary::Row& row, const Json& json) {
    const auto column = [&](const char* side) {
        return static_cast<std::size_t>(std::ranges::find(summary.metrics, json.at(side).get<std::string>()) - summary.metrics.begin());
    };
    SweepSummary::Paired paired{.a = column("a"), .b = column("b"), .difference = sample_in(json), .interval = {}};
    if (!json.at("low").is_null()) paired.interval = Interval{json.at("low").get<double>(), json.at("high").get<double>()};
    paired.points = static_cast<std::size_t>(std::ranges::count_if(row.points, [&](std::size_t point) {
        const auto& metrics = summary.points.at(point).metrics;
        return metrics.at(paired.a) && metrics.at(paired.b);
    }));
    paired.same = json.at("same").get<std::vector<std::string>>();
    paired.varying = json.at("varying").get<std::vector<std::string>>();
    return paired;
}

SweepSummary::Row row_of(const SweepSummary& summary, const Json& json) {
    SweepSummary::Row row;
    row.points = json.at("points").get<std::vector<std::size_t>>();
    for (const std::string& metric : summary.metrics) row.metrics.push_back(sample_in(json.at("metrics").at(metric)));
    for (const Json& one : json.at("paired")) row.paired.push_back(paired_of(summary, row, one));
    row.best = json.at("best").get<bool>();
    return row;
}

}  // namespace

SweepSummary sweep_summary_of(const Json& event) {
    SweepSummary summary;
    for (const Json& axis : event.at("axes")) {
        SweepAxis& its = summary.axes.emplace_back();
        its.name = axis.at("param").get<std::string>();
        for (const Json& value : axis.at("values")) its.values.push_back(ConfigValue::of_text(plain_text(value)));
        its.repeats = axis.at("repeats").get<bool>();
        its.unused = axis.at("unused").get<bool>();
    }
    summary.metrics = event.at("metrics").get<std::vector<std::string>>();
    for (const Json& point : event.at("points")) summary.points.push_back(point_of(summary, point));
    for (const Json& row : event.at("rows")) summary.rows.push_back(row_of(summary, row));
    if (const Json& sorted = event.at("sorted_by"); !sorted.is_null())
        summary.sorted_by =
            static_cast<std::size_t>(std::ranges::find(summary.metrics, sorted.get<std::string>()) - summary.metrics.begin());
    if (const Json& best = event.at("best"); !best.is_null()) summary.best = best == name_of(Best::Max) ? Best::Max : Best::Min;
    return summary;
}

Json sweep_started_json(const Sweep& sweep, const Workload& workload) {
    Json points = Json::array();
    for (const SweepPoint& point : sweep.points) {
        std::vector<std::string> settings;
        for (const auto& setting : point.values) settings.push_back(setting.second);
        points.push_back({{"settings", settings_json(sweep.axes, settings, true)}, {"stages", stages_json(point, sweep.dag)}});
    }
    return {{"stages", workload.stages},
            {"shared", workload.shared},
            {"reused", workload.reused},
            {"to_run", workload.to_run},
            {"may_run", workload.may_run},
            {"cores", workload.cores},
            {"expected_seconds", optional_number(workload.expected_seconds)},
            {"axes", axes_json(sweep.axes)},
            {"points", std::move(points)}};
}

Json sweep_json(const Sweep& sweep, const SweepSummary& summary, const RunResult& result) {
    std::vector<const NodeResult*> results(sweep.dag.nodes.size(), nullptr);
    for (const NodeResult& node : result.nodes) results[node.node] = &node;
    Json points = Json::array(), rows = Json::array();
    for (std::size_t i = 0; i < summary.points.size(); ++i) {
        points.push_back(point_json(summary, summary.points[i], sweep.dag));
        points.back()["stages"] = stages_json(sweep.points[i], sweep.dag, results);
    }
    for (const auto& row : summary.rows) rows.push_back(row_json(summary, row));
    return {{"axes", axes_json(summary.axes)},
            {"metrics", summary.metrics},
            {"sorted_by", summary.sorted_by ? Json(summary.metrics[*summary.sorted_by]) : Json(nullptr)},
            {"best", summary.best ? Json(name_of(*summary.best)) : Json(nullptr)},
            {"points", std::move(points)},
            {"rows", std::move(rows)}};
}

}  // namespace satdl
