#include "pipeline/sweep/sweep_summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "pipeline/core/metric_text.h"
#include "pipeline/network/metric_names.h"

namespace satdl {

namespace {

struct Measured {
    std::string column;
    double value = 0;
    NodeId source = 0;         // whose artifact the number comes from: see source_port()
    std::string source_stage;  // its name in the single DAG
};

bool is_metrics(const PortDescription& port) { return port.kind == PortKind::Metrics; }

std::string column_of(std::string_view stage, std::string_view port, std::string_view metric, bool is_only_port) {
    return is_only_port ? fmt::format("{}.{}", stage, metric) : fmt::format("{}.{}.{}", stage, port, metric);
}

// The input that this metric of a stage is about, if it is about one alone: a comparison repeats what it was given of each side. nullptr:
// the metric is the stage's own.
const PortDescription* source_port(const StageDescription& description, const std::string& port, const std::string& metric) {
    const PortDescription* output = description.output(port);
    if (output == nullptr || !output->metrics) return nullptr;
    const auto input_with = [&](PortRole role) {
        const auto found = std::ranges::find(description.inputs, role, &PortDescription::role);
        return found == description.inputs.end() ? nullptr : &*found;
    };
    if (const auto& pairs = output->metrics->pairs; !pairs.empty()) {
        if (metric == pairs.front().first) return input_with(PortRole::Baseline);
        if (metric == pairs.front().second) return input_with(PortRole::Candidate);
    }
    for (const auto& [input, name] : output->metrics->if_connected)
        for (const PortRole role : {PortRole::BaselineTraining, PortRole::CandidateTraining})
            if (const PortDescription* found = input_with(role); name == metric && found != nullptr && found->name == input) return found;
    return nullptr;
}

NodeId source_of(const Node& node, NodeId id, const std::string& port, const std::string& metric) {
    const PortDescription* input = source_port(node.stage->description, port, metric);
    const auto edge = std::ranges::find_if(node.inputs, [&](const Input& one) { return input != nullptr && one.port == input->name; });
    return edge == node.inputs.end() ? id : edge->from;
}

std::string name_at(const SweepPoint& point, NodeId id) {
    return point.names[static_cast<std::size_t>(std::ranges::find(point.nodes, id) - point.nodes.begin())];
}

class SummaryBuilder {
public:
    SummaryBuilder(const Sweep& sweep, const std::map<NodeId, SweepOutcome>& outcomes, const SweepQuery& query)
        : sweep_(sweep), outcomes_(outcomes), query_(query) {
        summary_.axes = sweep.axes;
    }

    SweepSummary report(const std::function<Metrics(NodeId)>& metrics_of) {
        gather(metrics_of);
        choose_columns();
        make_points();
        make_rows();
        sort_rows();
        return std::move(summary_);
    }

private:
    void gather(const std::function<Metrics(NodeId)>& metrics_of) {
        const bool final_only = query_.metrics.empty() && query_.paired.empty();
        const std::vector<bool> is_final = final_nodes();
        std::set<std::string> seen;
        for (const SweepPoint& point : sweep_.points) {
            std::vector<Measured>& measured = point_metrics_.emplace_back();
            for (std::size_t i = 0; i < point.nodes.size(); ++i)
                if (has_metrics(sweep_.dag.nodes[point.nodes[i]]) && (!final_only || is_final[point.nodes[i]]))
                    add_metrics(point, i, metrics_of(point.nodes[i]), final_only, measured);
            for (const Measured& one : measured) {
                if (seen.insert(one.column).second) summary_.reported.push_back(one.column);
            }
        }
    }

    // The nodes of the run that no other node of the run reads, and the targets.
    std::vector<bool> final_nodes() const {
        std::vector<bool> is_final(sweep_.dag.nodes.size(), true);
        for (const auto& [id, outcome] : outcomes_)
            for (const Input& input : sweep_.dag.nodes[id].inputs) is_final[input.from] = false;
        for (const std::string& target : query_.targets) {
            if (const auto group = sweep_.dag.groups.find(target); group != sweep_.dag.groups.end()) {
                for (const NodeId id : group->second) is_final[id] = true;
            } else if (const Node* node = sweep_.dag.find(target)) {
                is_final[static_cast<std::size_t>(node - sweep_.dag.nodes.data())] = true;
            }
        }
        return is_final;
    }

    // The metrics of the point's stage `i`; details only if they were asked for.
    void add_metrics(const SweepPoint& point, std::size_t i, const Metrics& metrics, bool without_details,
                     std::vector<Measured>& measured) const {
        const NodeId id = point.nodes[i];
        std::vector<std::string> columns = metric_columns(point.names[i], metrics);
        auto column = columns.begin();
        for (const auto& [port, values] : metrics) {
            for (const auto& [name, value] : values) {
                const NodeId source = source_of(sweep_.dag.nodes[id], id, port, name);
                if (!without_details || !is_detail(name))
                    measured.push_back({std::move(*column), value, source, source == id ? point.names[i] : name_at(point, source)});
                ++column;
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
        // What did not succeed may have had what no stage reported.
        const bool is_complete = std::ranges::all_of(outcomes_, [](const auto& one) { return one.second.key.has_value(); });
        for (const std::string& name : wanted) {
            if (column_called(name)) continue;
            summary_.unknown.push_back(name);
            if (!is_complete) summary_.metrics.push_back(name);
        }
        if (summary_.metrics.empty()) summary_.metrics = summary_.reported;  // better than an empty table
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

    void make_points() {
        std::map<std::string, std::size_t> column_of;
        for (std::size_t i = 0; i < summary_.metrics.size(); ++i) column_of.emplace(summary_.metrics[i], i);
        for (std::size_t i = 0; i < sweep_.points.size(); ++i) {
            SweepSummary::Point point;
            for (const auto& setting : sweep_.points[i].values) point.settings.push_back(setting.second);
            point.metrics.resize(summary_.metrics.size());
            std::vector<const Measured*>& measured = by_column_.emplace_back(summary_.metrics.size());
            for (const Measured& one : point_metrics_[i]) {
                const auto column = column_of.find(one.column);
                if (column == column_of.end()) continue;
                point.metrics[column->second] = one.value;
                measured[column->second] = &one;
            }
            for (const NodeId node : sweep_.points[i].nodes) {
                const auto outcome = outcomes_.find(node);
                if (outcome == outcomes_.end()) continue;
                if (outcome->second.error) point.failures.push_back({node, *outcome->second.error});
                else if (!outcome->second.key) point.is_unfinished = true;
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
                std::set<std::string> seen;
                for (const std::size_t point : row.points) {
                    const Measured* one = by_column_[point][column];
                    if (one != nullptr && seen.insert(artifact_of(*one)).second) values.push_back(one->value);
                }
                row.metrics.push_back(sample_of(values));
            }
            for (const auto& [a, b] : pairs_) row.paired.push_back(paired(row, a, b));
        }
    }

    SweepSummary::Paired paired(const SweepSummary::Row& row, std::size_t a, std::size_t b) const {
        std::vector<double> differences;
        std::set<std::pair<std::string, std::string>> seen;
        std::map<std::string, std::set<std::string>> artifacts;  // by stage
        SweepSummary::Paired result{.a = a, .b = b, .difference = {}, .interval = {}};
        for (const std::size_t point : row.points) {
            const Measured *first = by_column_[point][a], *second = by_column_[point][b];
            if (first == nullptr || second == nullptr) continue;
            ++result.points;
            for (const Measured* one : {first, second}) artifacts[one->source_stage].insert(artifact_of(*one));
            if (seen.emplace(artifact_of(*first), artifact_of(*second)).second) differences.push_back(second->value - first->value);
        }
        if (result.points > 1)
            for (const auto& [stage, its] : artifacts) (its.size() == 1 ? result.same : result.varying).push_back(stage);
        result.difference = sample_of(differences);
        result.interval = mean_interval_95(result.difference);
        return result;
    }

    std::string artifact_of(const Measured& measured) const {
        const auto outcome = outcomes_.find(measured.source);
        const bool has_key = outcome != outcomes_.end() && outcome->second.key;
        return has_key ? outcome->second.key->hex() : sweep_.dag.nodes[measured.source].name;  // of a node that the run only read
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
            const auto first = summary_.rows.empty() ? std::nullopt : rank(summary_.rows.front());
            for (SweepSummary::Row& row : summary_.rows)
                row.best = first && rank(row) && (rank(row) == first || !is_told_apart(summary_.rows.front(), row));
        }
        for (std::size_t row = 0; row < summary_.rows.size(); ++row) {
            for (const std::size_t point : summary_.rows[row].points) summary_.points[point].row = row;
        }
    }

    // Whether the metric that sorts the table differs by more than the repetitions of both rows scatter. Without any repetition its value
    // is all there is.
    bool is_told_apart(const SweepSummary::Row& a, const SweepSummary::Row& b) const {
        if (!summary_.has_intervals()) return true;
        const auto first = mean_interval_95(a.metrics[*summary_.sorted_by]), second = mean_interval_95(b.metrics[*summary_.sorted_by]);
        return first && second && (first->low > second->high || second->low > first->high);
    }

    const Sweep& sweep_;
    const std::map<NodeId, SweepOutcome>& outcomes_;
    const SweepQuery& query_;
    SweepSummary summary_;
    std::vector<std::vector<Measured>> point_metrics_;      // by point
    std::vector<std::vector<const Measured*>> by_column_;  // by point and column; null if the point has none
    std::vector<std::pair<std::size_t, std::size_t>> pairs_;  // columns
};

}  // namespace

bool has_metrics(const Node& node) {
    return node.stage != nullptr && std::ranges::any_of(node.stage->description.outputs, is_metrics);
}

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

const PortDescription* source_input(const std::string& stage, const StageDescription& description, std::string_view column) {
    const bool is_only_port = std::ranges::count_if(description.outputs, is_metrics) == 1;
    for (const PortDescription& port : description.outputs) {
        const std::string start = is_only_port ? stage + "." : fmt::format("{}.{}.", stage, port.name);
        if (!is_metrics(port) || !column.starts_with(start)) continue;
        if (const PortDescription* input = source_port(description, port.name, std::string(column.substr(start.size())))) return input;
    }
    return nullptr;
}

std::string_view short_name(std::string_view column) {
    return column.substr(column.rfind('.') + 1);
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

bool SweepSummary::has_intervals() const {
    return sorted_by && std::ranges::any_of(rows, [&](const Row& row) { return mean_interval_95(row.metrics[*sorted_by]).has_value(); });
}

SweepSummary summarise_sweep(const Sweep& sweep, const std::map<NodeId, SweepOutcome>& outcomes,
                             const std::function<Metrics(NodeId)>& metrics_of, const SweepQuery& query) {
    return SummaryBuilder(sweep, outcomes, query).report(metrics_of);
}

std::string describe(const SweepSummary& report, const SweepSummary::Paired& paired) {
    const std::string &a = report.metrics[paired.a], &b = report.metrics[paired.b];
    const std::string difference = fmt::format("{} - {}", b, a);
    if (!paired.difference.mean) return difference + ": no point has both";
    const auto with_sign = [](double value) { return fmt::format("{}{}", value > 0 ? "+" : "", metric_text(value)); };
    const std::string found = fmt::format("{} = {}", difference, with_sign(*paired.difference.mean));
    const std::size_t n = paired.difference.n;
    const std::string same = fmt::format("{}", fmt::join(paired.same, ", "));
    if (n == 1 && paired.points > 1)
        return fmt::format("{}, n = 1: {} {} the same artifact in all {} points, so there is no interval", found, same,
                           paired.same.size() == 1 ? "is" : "are each", paired.points);
    if (n == 1) return found + ", n = 1: there is no interval from one value";
    const std::string who = paired.same.empty() ? "" : fmt::format(" (only {} varies, {} is the same artifact in all {} points)",
                                                                  fmt::join(paired.varying, ", "), same, paired.points);
    if (!paired.interval) return fmt::format("{}, n = {}{}: there is no interval from equal values", found, n, who);
    const std::string text = fmt::format("{}, 95 % interval {} to {}, n = {}{}: ", found, with_sign(paired.interval->low),
                                         with_sign(paired.interval->high), n, who);
    if (paired.interval->has_zero()) return text + "cannot be distinguished from zero";
    return text + fmt::format("{} is {} than {}", b, paired.interval->low > 0 ? "greater" : "less", a);
}

}  // namespace satdl
