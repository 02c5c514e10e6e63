// compare: did the candidate (P0) do better than the baseline (P)? The numbers, side by side, and the answer in words.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <utility>

#include "stages/ports.h"
#include "stages/stages.h"

namespace satdl::stages {
namespace {

using NamedNumbers = std::map<std::string, double>;

struct Side {
    std::string name;    // "M2"
    NamedNumbers test;
    NamedNumbers train;  // empty where the port is not connected
    NamedArrays history;       // likewise
};

// A metric by its name, or as a training calls it.
std::optional<double> find(const NamedNumbers& numbers, const std::string& metric) {
    const std::string keras = metric.starts_with("val_") ? "val/" + metric.substr(4) : metric;
    for (const std::string& name : {metric, keras, "val/" + metric, "train/" + metric}) {
        if (const auto found = numbers.find(name); found != numbers.end()) return found->second;
    }
    return std::nullopt;
}

bool is_accuracy(const std::string& metric) { return metric.ends_with("accuracy"); }

std::string number_text(const std::string& metric, double number) {
    return is_accuracy(metric) ? fmt::format("{:.2f} %", 100 * number) : fmt::format("{:.4f}", number);
}

std::string difference_text(const std::string& metric, double number) {
    return is_accuracy(metric) ? fmt::format("{:+.2f} points", 100 * number) : fmt::format("{:+.4f}", number);
}

Side side_of(const StageInputs& inputs, const Params& params, const std::string& port) {
    Side side{params.text(port + "_name"), metrics_at(inputs, port), {}, {}};
    if (connected(inputs, port + "_train")) side.train = metrics_at(inputs, port + "_train");
    if (connected(inputs, port + "_history")) side.history = inputs.at(port + "_history");
    return side;
}

void add_row(Table& table, const std::string& title, const std::string& metric, std::optional<double> p,
             std::optional<double> p0) {
    if (!p || !p0) return;
    table.rows.push_back({title, number_text(metric, *p), number_text(metric, *p0), difference_text(metric, *p0 - *p)});
}

std::optional<double> gap_of(const Side& side, const std::string& metric) {
    const auto train = find(side.train, metric);
    const auto test = find(side.test, metric);
    return train && test ? std::optional(*train - *test) : std::nullopt;
}

std::string verdict(const Side& baseline, const Side& candidate, const std::string& metric, double p, double p0) {
    if (p0 == p) return fmt::format("P0 = P: {} and {} have the same {}", candidate.name, baseline.name, metric);
    const bool better = is_accuracy(metric) ? p0 > p : p0 < p;
    return fmt::format("P0 is {} than P: {} {} {} by {} of {}", better ? "better" : "worse", candidate.name,
                       better ? "beats" : "falls behind", baseline.name,
                       is_accuracy(metric) ? fmt::format("{:.2f} points", 100 * std::abs(p0 - p))
                                           : fmt::format("{:.4f}", std::abs(p0 - p)),
                       metric);
}

std::string overfitting(const Side& baseline, const Side& candidate, const std::string& metric, double gap, double gap0) {
    const bool more = is_accuracy(metric) ? gap0 > gap : gap0 < gap;
    return fmt::format("{} over-fits {} than {}: training and test differ by {} against {}", candidate.name,
                       more ? "more" : "less", baseline.name, difference_text(metric, gap0), difference_text(metric, gap));
}

Table comparison(const Side& baseline, const Side& candidate, const std::string& metric, double p, double p0) {
    Table table{fmt::format("P ({}) against P0 ({})", baseline.name, candidate.name),
                {"", "P: " + baseline.name, "P0: " + candidate.name, "P0 - P"}, {}, {}};
    std::vector<std::string> metrics{metric};
    for (const char* other : {"accuracy", "binary_accuracy", "loss"}) {
        if (other != metric) metrics.emplace_back(other);
    }
    for (const std::string& name : metrics) {
        add_row(table, "test " + name, name, find(baseline.test, name), find(candidate.test, name));
        add_row(table, "training " + name, name, find(baseline.train, name), find(candidate.train, name));
    }
    table.notes.push_back(verdict(baseline, candidate, metric, p, p0));
    const auto gap = gap_of(baseline, metric);
    const auto gap0 = gap_of(candidate, metric);
    add_row(table, fmt::format("training - test {}", metric), metric, gap, gap0);
    if (gap && gap0) table.notes.push_back(overfitting(baseline, candidate, metric, *gap, *gap0));
    if (find(baseline.test, "binary_accuracy") && find(candidate.test, "binary_accuracy")) {
        table.notes.emplace_back(
            "accuracy: how often the greatest output is the right class; binary_accuracy: the share of single "
            "outputs on the right side of 0.5, which is high for any network that mostly says no");
    }
    return table;
}

// One row an epoch: what both histories have of the metric and the loss.
Table curves(const Side& baseline, const Side& candidate, const std::string& metric) {
    Table table{"over the epochs", {"epoch"}, {}, {}};
    std::vector<std::pair<std::string, std::span<const double>>> columns;
    std::size_t epochs = 0;
    for (const std::string& name : {metric, std::string("loss")}) {
        for (const auto& [side, label] : {std::pair{&baseline, "P"}, std::pair{&candidate, "P0"}}) {
            for (const std::string prefix : {"train/", "val/"}) {
                const auto found = side->history.find(prefix + name);
                if (found == side->history.end() || (name == metric && metric == "loss")) continue;
                table.columns.push_back(fmt::format("{} {}{}", label, prefix, name));
                columns.emplace_back(name, found->second.values<double>());
                epochs = std::max(epochs, columns.back().second.size());
            }
        }
    }
    for (std::size_t epoch = 0; epoch < epochs; ++epoch) {
        std::vector<std::string> row{fmt::format("{}", epoch + 1)};
        for (const auto& [name, values] : columns)
            row.push_back(epoch < values.size() ? number_text(name, values[epoch]) : "");
        table.rows.push_back(std::move(row));
    }
    return table;
}

double required(const Side& side, const std::string& metric) {
    if (const auto number = find(side.test, metric)) return *number;
    std::vector<std::string> names;
    for (const auto& [name, number] : side.test) names.push_back(name);
    throw stage_error(fmt::format("{} has no metric '{}'", side.name, metric), did_you_mean(metric, names));
}

StageOutput run(const StageInputs& inputs, StageContext& context) {
    const std::string& metric = context.params().text("metric");
    const Side baseline = side_of(inputs, context.params(), "baseline");
    const Side candidate = side_of(inputs, context.params(), "candidate");
    const double p = required(baseline, metric);
    const double p0 = required(candidate, metric);
    Numbers numbers{{"p", p}, {"p0", p0}, {"difference", p0 - p}};
    if (const auto gap = gap_of(baseline, metric)) numbers.emplace_back("gap/p", *gap);
    if (const auto gap = gap_of(candidate, metric)) numbers.emplace_back("gap/p0", *gap);
    StageOutput outcome{{{"metrics", metrics_group(numbers)}}, {}};
    if (Table table = curves(baseline, candidate, metric); !table.rows.empty()) outcome.tables.push_back(std::move(table));
    outcome.tables.push_back(comparison(baseline, candidate, metric, p, p0));
    return outcome;
}

PortDescription metrics(std::string name, PortRole role, bool optional, std::string help) {
    return {.name = std::move(name), .kind = PortKind::Metrics, .optional = optional, .help = std::move(help), .role = role};
}

PortDescription history(std::string name) {
    return {.name = std::move(name), .kind = PortKind::History, .optional = true, .help = "history, for the curves over the epochs"};
}

}  // namespace

StageEntry compare_stage() {
    return {
        .description = {
            .kind = "compare",
            .help = "Compare the metrics of a candidate (P0) with those of a baseline (P)",
            .inputs = {metrics("baseline", PortRole::Baseline, false, "metrics of the baseline on test data"),
                       metrics("candidate", PortRole::Candidate, false, "metrics of the candidate on test data"),
                       metrics("baseline_train", PortRole::BaselineTraining, true, "metrics of the baseline on training data"),
                       metrics("candidate_train", PortRole::CandidateTraining, true, "metrics of the candidate on training data"),
                       history("baseline_history"),
                       history("candidate_history")},
            .outputs = {{.name = "metrics",
                         .kind = PortKind::Metrics,
                         .help = "p (baseline), p0 (candidate), difference (p0 - p); gap/p and gap/p0: training - test",
                         .metrics = PortDescription::MetricsRule{
                             .names = {"p", "p0", "difference"},
                             .if_connected = {{"baseline_train", "gap/p"}, {"candidate_train", "gap/p0"}},
                             .pairs = {{"p", "p0"}}}}},
            .params = {{.name = "baseline_name", .fallback = "baseline", .help = "its name in the tables",
                        .label_of = {"baseline", "baseline_train"}},
                       {.name = "candidate_name", .fallback = "candidate", .help = "its name in the tables",
                        .label_of = {"candidate", "candidate_train"}},
                       {.name = "metric", .fallback = "accuracy", .help = "what decides",
                        .metric_of = {"baseline", "candidate"}}},
            .memory_fixed_bytes = 1 << 20,
        },
        .run = run,
    };
}

}  // namespace satdl::stages
