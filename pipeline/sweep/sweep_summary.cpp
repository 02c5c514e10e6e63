#include "pipeline/sweep/sweep_summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "pipeline/core/metric_text.h"
#include "pipeline/network/metric_names.h"

namespace satdl {

namespace {

using Named = std::pair<std::string, double>;

bool is_metrics(const PortDescription& port) { return port.kind == PortKind::Metrics; }

bool has_metrics(const Node& node) { return std::ranges::any_of(node.stage->description.outputs, is_metrics); }

std::string column_of(std::string_view stage, std::string_view port, std::string_view metric, bool is_only_port) {
    return is_only_port ? fmt::format("{}.{}", stage, metric) : fmt::format("{}.{}.{}", stage, port, metric);
}

// "compare.difference" -> "difference", the short name that users may give.
std::string_view short_name(std::string_view column) {
    return column.substr(column.rfind('.') + 1);
}

// The metrics of one point, in the order of its stages; with `final_only`, of the stages without consumers.
std::vector<Named> metrics_of_point(const SweepPoint& point, const Dag& dag, const std::vector<bool>& is_read, bool final_only,
                                    const std::function<Metrics(NodeId)>& metrics_of) {
    std::vector<Named> found;
    for (std::size_t i = 0; i < point.nodes.size(); ++i) {
        const NodeId id = point.nodes[i];
        if (!has_metrics(dag.nodes[id]) || (final_only && is_read[id])) continue;
        const Metrics metrics = metrics_of(id);
        std::vector<std::string> columns = metric_columns(point.names[i], metrics);
        auto column = columns.begin();
        for (const auto& [port, values] : metrics) {
            for (const auto& [name, value] : values) {
                if (!final_only || !is_detail(name)) found.emplace_back(std::move(*column), value);
                ++column;
            }
        }
    }
    return found;
}

class SummaryBuilder {
public:
    SummaryBuilder(const Sweep& sweep, const SweepQuery& query) : sweep_(sweep), query_(query) {
        summary_.axes = sweep.axes;
    }

    SweepSummary report(const std::function<Metrics(NodeId)>& metrics_of, const std::map<NodeId, std::string>& errors) {
        gather(metrics_of);
        choose_columns();
        make_points(errors);
        make_rows();
        sort_rows();
        return std::move(summary_);
    }

private:
    void gather(const std::function<Metrics(NodeId)>& metrics_of) {
        std::vector<bool> is_read;
        for (const auto& consumers : sweep_.dag.consumers()) is_read.push_back(!consumers.empty());
        const bool final_only = query_.metrics.empty() && query_.paired.empty();
        std::set<std::string> seen;
        for (const SweepPoint& point : sweep_.points) {
            point_metrics_.push_back(metrics_of_point(point, sweep_.dag, is_read, final_only, metrics_of));
            for (const auto& [name, value] : point_metrics_.back()) {
                if (seen.insert(name).second) summary_.reported.push_back(name);
            }
        }
    }

    // A name selects every column of that name; in a pair, the first one.
    void choose_columns() {
        std::vector<std::string> wanted = query_.metrics;
        for (const auto& [a, b] : query_.paired) wanted.insert(wanted.end(), {a, b});
        for (const std::string& column : summary_.reported) {
            const auto names_it = [&](const std::string& name) { return is_name_of_column(name, column); };
            if (!wanted.empty() && std::ranges::any_of(wanted, names_it)) summary_.metrics.push_back(column);
        }
        if (summary_.metrics.empty()) summary_.metrics = summary_.reported;  // better than an empty table
        for (const std::string& name : wanted) {
            if (!column_called(name)) summary_.unknown.push_back(name);
        }
        if (!query_.metrics.empty()) summary_.sorted_by = column_called(query_.metrics.front());
        if (summary_.sorted_by) {
            summary_.best = query_.best ? query_.best : usual_best(summary_.metrics[*summary_.sorted_by]);
        }
        const bool is_asked = !query_.paired.empty();
        for (const auto& [a, b] : is_asked ? query_.paired : described_pairs()) {
            const auto first = column_called(a), second = column_called(b);
            if (first && second) pairs_.emplace_back(*first, *second);
        }
        if (!is_asked) std::ranges::sort(pairs_);
    }

    // The columns that the descriptions of the points' stages pair, each pair once.
    std::vector<std::pair<std::string, std::string>> described_pairs() const {
        std::set<std::pair<std::string, std::string>> columns;
        for (const SweepPoint& point : sweep_.points) {
            for (std::size_t i = 0; i < point.nodes.size(); ++i) {
                const auto pairs = paired_columns(point.names[i], sweep_.dag.nodes[point.nodes[i]].stage->description);
                columns.insert(pairs.begin(), pairs.end());
            }
        }
        return {columns.begin(), columns.end()};
    }

    std::optional<std::size_t> column_called(const std::string& name) const {
        const auto found = std::ranges::find_if(summary_.metrics, [&](const auto& column) { return is_name_of_column(name, column); });
        if (found == summary_.metrics.end()) return std::nullopt;
        return static_cast<std::size_t>(found - summary_.metrics.begin());
    }

    void make_points(const std::map<NodeId, std::string>& errors) {
        std::map<std::string, std::size_t> column_of;
        for (std::size_t i = 0; i < summary_.metrics.size(); ++i) column_of.emplace(summary_.metrics[i], i);
        for (std::size_t i = 0; i < sweep_.points.size(); ++i) {
            SweepSummary::Point point;
            for (const auto& setting : sweep_.points[i].values) point.settings.push_back(setting.second);
            point.metrics.resize(summary_.metrics.size());
            for (const auto& [name, value] : point_metrics_[i]) {
                if (const auto column = column_of.find(name); column != column_of.end()) point.metrics[column->second] = value;
            }
            for (const NodeId node : sweep_.points[i].nodes) {
                if (const auto error = errors.find(node); error != errors.end()) point.failures.push_back({node, error->second});
            }
            summary_.points.push_back(std::move(point));
        }
    }

    void make_rows() {
        std::map<std::vector<std::string>, std::size_t> row_of;
        for (std::size_t i = 0; i < summary_.points.size(); ++i) {
            std::vector<std::string> setting;
            for (std::size_t axis = 0; axis < summary_.axes.size(); ++axis) {
                if (!summary_.axes[axis].repeats) setting.push_back(summary_.points[i].settings[axis]);
            }
            const auto [found, is_new] = row_of.emplace(std::move(setting), summary_.rows.size());
            if (is_new) summary_.rows.emplace_back();
            summary_.rows[found->second].points.push_back(i);
        }
        for (SweepSummary::Row& row : summary_.rows) {
            for (std::size_t column = 0; column < summary_.metrics.size(); ++column) {
                std::vector<double> values;
                for (const std::size_t point : row.points) {
                    if (const auto& value = summary_.points[point].metrics[column]) values.push_back(*value);
                }
                row.metrics.push_back(sample_of(values));
            }
            for (const auto& [a, b] : pairs_) row.paired.push_back(paired(row, a, b));
        }
    }

    SweepSummary::Paired paired(const SweepSummary::Row& row, std::size_t a, std::size_t b) const {
        std::vector<double> differences;
        for (const std::size_t point : row.points) {
            const auto& first = summary_.points[point].metrics[a];
            const auto& second = summary_.points[point].metrics[b];
            if (first && second) differences.push_back(*second - *first);
        }
        const Sample difference = sample_of(differences);
        return {a, b, difference, mean_interval_95(difference)};
    }

    // Rows without a finite value come last; equal ones keep their order.
    void sort_rows() {
        if (summary_.sorted_by && summary_.best) {
            const double sign = *summary_.best == Best::Max ? -1 : 1;
            const auto rank = [&](const SweepSummary::Row& row) {
                const auto& mean = row.metrics[*summary_.sorted_by].mean;
                return mean && !std::isnan(*mean) ? std::optional(sign * *mean) : std::nullopt;
            };
            std::ranges::stable_sort(summary_.rows, [&](const auto& left, const auto& right) {
                const auto first = rank(left), second = rank(right);
                return first && (!second || *first < *second);
            });
            const bool any = !summary_.rows.empty() && rank(summary_.rows.front());
            for (SweepSummary::Row& row : summary_.rows) row.best = any && rank(row) == rank(summary_.rows.front());
        }
        for (std::size_t row = 0; row < summary_.rows.size(); ++row) {
            for (const std::size_t point : summary_.rows[row].points) summary_.points[point].row = row;
        }
    }

    const Sweep& sweep_;
    const SweepQuery& query_;
    SweepSummary summary_;
    std::vector<std::vector<Named>> point_metrics_;                 // by point
    std::vector<std::pair<std::size_t, std::size_t>> pairs_;  // columns
};

}  // namespace

std::vector<std::string> metric_columns(const std::string& stage, const Metrics& metrics) {
    std::vector<std::string> columns;
    for (const auto& [port, values] : metrics)
        for (const auto& [name, value] : values)
            columns.push_back(column_of(stage, port, name, metrics.size() == 1));
    return columns;
}

std::vector<std::pair<std::string, std::string>> paired_columns(const std::string& stage, const StageDescription& description) {
    std::vector<std::pair<std::string, std::string>> columns;
    const bool is_only_port = std::ranges::count_if(description.outputs, is_metrics) == 1;
    for (const PortDescription& port : description.outputs) {
        if (!port.metrics) continue;
        for (const auto& [a, b] : port.metrics->pairs)
            columns.emplace_back(column_of(stage, port.name, a, is_only_port), column_of(stage, port.name, b, is_only_port));
    }
    return columns;
}

bool is_name_of_column(std::string_view name, std::string_view column) {
    return column == name || short_name(column) == name;
}

std::string_view name_of(Best best) {
    return best == Best::Max ? "max" : "min";
}

std::optional<Best> usual_best(std::string_view metric) {
    for (const std::string_view word : {"accuracy", "precision", "recall"}) {
        if (metric.ends_with(word)) return Best::Max;
    }
    for (const std::string_view word : {"loss", "error"}) {
        if (metric.ends_with(word)) return Best::Min;
    }
    return std::nullopt;
}

bool SweepSummary::repeats() const {
    return std::ranges::any_of(axes, &SweepAxis::repeats);
}

SweepSummary summarise_sweep(const Sweep& sweep, const std::function<Metrics(NodeId)>& metrics_of,
                             const std::map<NodeId, std::string>& errors, const SweepQuery& query) {
    return SummaryBuilder(sweep, query).report(metrics_of, errors);
}

std::string describe(const SweepSummary& report, const SweepSummary::Paired& paired) {
    const std::string &a = report.metrics[paired.a], &b = report.metrics[paired.b];
    const std::string difference = fmt::format("{} - {}", b, a);
    if (!paired.difference.mean) return difference + ": no point has both";
    const auto with_sign = [](double value) { return fmt::format("{}{}", value > 0 ? "+" : "", metric_text(value)); };
    const std::string found = fmt::format("{} = {}", difference, with_sign(*paired.difference.mean));
    if (!paired.interval) return found + ", n = 1: there is no interval from one value";
    const std::string text = fmt::format("{}, 95 % interval {} to {}, n = {}: ", found, with_sign(paired.interval->low),
                                         with_sign(paired.interval->high), paired.difference.n);
    if (paired.interval->has_zero()) return text + "cannot be distinguished from zero";
    return text + fmt::format("{} is {} than {}", b, paired.interval->low > 0 ? "greater" : "less", a);
}

}  // namespace satdl
