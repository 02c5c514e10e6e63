#include "pipeline/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "pipeline/metric_names.h"
#include "pipeline/text.h"

namespace satdl {

namespace {

using Json = nlohmann::ordered_json;

std::string dumped(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// A setting as JSON: canonical text is JSON already, save for bare text.
Json setting_json(const std::string& canonical) {
    Json parsed = Json::parse(canonical, nullptr, false);
    return parsed.is_discarded() ? Json(canonical) : parsed;
}

std::string setting_text(const std::string& canonical) {
    const Json json = setting_json(canonical);
    return json.is_string() ? json.get<std::string>() : canonical;
}

// What has to be said of a stage beside why it ran.
std::string remark(const NodeResult& node) {
    std::string text = node.because;
    if (!node.not_kept.empty()) text += fmt::format("; NOT KEPT: {}", node.not_kept);
    if (node.nondeterministic) text += "; NOT DETERMINISTIC: the store has other bytes under this key";
    return text;
}

// What one point has, in the order of its stages.
std::vector<std::pair<std::string, double>> point_metrics(const Sweep& sweep, const SweepPoint& point,
                                                          const std::vector<std::vector<NodeId>>& consumers,
                                                          const std::function<Metrics(NodeId)>& metrics_of,
                                                          const std::vector<std::string>& wanted) {
    std::vector<std::pair<std::string, double>> found;
    for (std::size_t i = 0; i < point.nodes.size(); ++i) {
        const NodeId id = point.nodes[i];
        const auto& outputs = sweep.dag.nodes[id].stage->description.outputs;
        const bool has_metrics = std::any_of(outputs.begin(), outputs.end(),
                                             [](const PortDescription& port) { return port.kind == PortKind::Metrics; });
        if (!has_metrics || (wanted.empty() && !consumers[id].empty())) continue;
        const Metrics metrics = metrics_of(id);
        for (const auto& [port, values] : metrics) {
            for (const auto& [name, value] : values) {
                if (wanted.empty() && is_detail(name)) continue;
                const std::string column = metrics.size() == 1 ? fmt::format("{}.{}", point.names[i], name)
                                                               : fmt::format("{}.{}.{}", point.names[i], port, name);
                const auto names_it = [&](const std::string& text) { return text == name || text == column; };
                if (!wanted.empty() && std::none_of(wanted.begin(), wanted.end(), names_it)) continue;
                found.emplace_back(column, value);
            }
        }
    }
    return found;
}

}  // namespace

Table summary_table(const Dag& dag, const RunResult& result) {
    Table table{.title = {}, .columns = {"stage", "outcome", "seconds", "because"}, .rows = {}, .notes = {}};
    const auto add = [&](const NodeResult& node) {
        const bool timed =
            node.state == NodeState::Ran || node.state == NodeState::Failed || node.state == NodeState::Stopped;
        table.rows.push_back({dag.nodes[node.node].name, std::string(outcome_of(node)),
                              timed ? fmt::format("{:.2f}", node.seconds) : "-", remark(node)});
    };
    std::size_t reused = 0;
    for (const auto& node : result.nodes) {
        if (node.state != NodeState::Reused || ++reused <= kReusedRows) add(node);
    }
    if (reused > kReusedRows) table.notes.push_back(fmt::format("... and {} more reused", reused - kReusedRows));
    return table;
}

std::string summary_line(const Dag& dag, const RunResult& result, double seconds) {
    std::string counts;
    for (const NodeState state :
         {NodeState::Ran, NodeState::Reused, NodeState::Failed, NodeState::Skipped, NodeState::Stopped}) {
        const std::size_t count = result.count(state);
        if (count != 0) counts += fmt::format("{}{} {}", counts.empty() ? "" : ", ", count, name_of(state));
    }
    return fmt::format("{}: {} stage{}: {}, in {}", printable(dag.name), result.nodes.size(),
                       result.nodes.size() == 1 ? "" : "s", counts.empty() ? "nothing to do" : counts,
                       duration_text(seconds));
}

SweepReport sweep_report(const Sweep& sweep, const std::function<Metrics(NodeId)>& metrics_of,
                         const std::vector<std::string>& wanted) {
    SweepReport report;
    for (const auto& axis : sweep.axes) report.axes.push_back(axis.name);
    const auto consumers = sweep.dag.consumers();
    std::map<std::string, std::size_t> column_of;
    std::vector<std::vector<std::pair<std::string, double>>> points;
    for (const auto& point : sweep.points) {
        points.push_back(point_metrics(sweep, point, consumers, metrics_of, wanted));
        for (const auto& [name, value] : points.back()) {
            if (column_of.emplace(name, report.metrics.size()).second) report.metrics.push_back(name);
        }
    }
    for (std::size_t i = 0; i < points.size(); ++i) {
        SweepReport::Row row;
        for (const auto& setting : sweep.points[i].values) row.settings.push_back(setting.second);
        row.metrics.resize(report.metrics.size());
        for (const auto& [name, value] : points[i]) row.metrics[column_of.at(name)] = value;
        report.rows.push_back(std::move(row));
    }
    return report;
}

Table to_table(const SweepReport& report) {
    Table table{.title = {}, .columns = report.axes, .rows = {}, .notes = {}};
    table.columns.insert(table.columns.end(), report.metrics.begin(), report.metrics.end());
    for (const auto& row : report.rows) {
        auto& cells = table.rows.emplace_back();
        for (const auto& setting : row.settings) cells.push_back(setting_text(setting));
        for (const auto& value : row.metrics) cells.push_back(value ? metric_text(*value) : "-");
    }
    return table;
}

std::string to_csv(const SweepReport& report) {
    Table table{.title = {}, .columns = report.axes, .rows = {}, .notes = {}};
    table.columns.insert(table.columns.end(), report.metrics.begin(), report.metrics.end());
    for (const auto& row : report.rows) {
        auto& cells = table.rows.emplace_back();
        for (const auto& setting : row.settings) cells.push_back(setting_text(setting));
        for (const auto& value : row.metrics) {
            cells.push_back(!value ? "" : std::isfinite(*value) ? canonical_number(*value) : metric_text(*value));
        }
    }
    return table_csv(table);
}

std::string to_json(const SweepReport& report) {
    Json points = Json::array();
    for (const auto& row : report.rows) {
        Json settings = Json::object(), metrics = Json::object();
        for (std::size_t i = 0; i < row.settings.size(); ++i) settings[report.axes[i]] = setting_json(row.settings[i]);
        for (std::size_t i = 0; i < row.metrics.size(); ++i) {
            metrics[report.metrics[i]] = row.metrics[i] ? Json(*row.metrics[i]) : Json(nullptr);
        }
        points.push_back({{"settings", std::move(settings)}, {"metrics", std::move(metrics)}});
    }
    return dumped({{"points", std::move(points)}});
}

std::string to_json(const Table& table) {
    return dumped({{"title", table.title}, {"columns", table.columns}, {"rows", table.rows}, {"notes", table.notes}});
}

}  // namespace satdl
