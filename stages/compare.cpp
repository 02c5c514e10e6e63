// compare: did the candidate (P0) do better than the baseline (P)? The numbers, side by side, and the answer in words.
//
// Two numbers alone do not answer it: on other test samples the lower one may be the higher. So there is a winner only if a paired test
// over the samples distinguishes the two; it needs the predictions of both. What other seeds would train, only a sweep over seeds shows.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "pipeline/core/mcnemar.h"
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

constexpr const char* kConnectEvaluations =
    "connect metrics and predictions of one evaluation a side, and the labels of its data, or no predictions and labels";

bool has_nan(const Array& predictions) {
    const auto among = [](const auto& values) { return std::ranges::any_of(values, [](auto value) { return std::isnan(value); }); };
    return predictions.dtype() == DType::Float32 ? among(predictions.values<float>()) : among(predictions.values<double>());
}

// One side's answers. Throws unless they are a classifier's, and of as many samples as the metrics.
Answers answers_at(const StageInputs& inputs, const std::string& port, const Side& side) {
    const Array& predictions = array_at(inputs, port + "_predictions");
    if (has_nan(predictions))
        throw stage_error(fmt::format("{}_predictions ({}) has NaN: such a sample has no answer", port, side.name), kConnectEvaluations);
    const auto answers = answers_of(predictions);
    if (!answers)
        throw stage_error(fmt::format("{}_predictions ({}) is {}, but the outputs of a classifier are [N, classes]", port, side.name,
                                      shape_text(predictions.shape())),
                          kConnectEvaluations);
    const auto samples = side.test.find("samples");
    if (samples != side.test.end() && samples->second != static_cast<double>(answers->answer.size()))
        throw stage_error(fmt::format("{}_predictions has {} samples, but the metrics of {} are of {}", port, answers->answer.size(),
                                      side.name, samples->second),
                          "connect both to the same evaluation");
    return *answers;
}

struct Right {
    std::int64_t min = 0, max = 0;  // samples
};

// An evaluation looks for the greatest logit. Two sigmoids of great logits are the same number, so that predictions alone do not tell which
// was greater: such a sample may be right or wrong.
template <typename T>
Right right_among(std::span<const T> outputs, const Answers& answers, const std::vector<std::int64_t>& labels) {
    constexpr double kRounding = 1e-6;  // a few of the last digits of a float32
    Right right;
    for (std::size_t sample = 0; sample < labels.size(); ++sample) {
        const auto row = outputs.subspan(sample * static_cast<std::size_t>(answers.classes), static_cast<std::size_t>(answers.classes));
        const double limit = answers.output[sample] - kRounding * std::abs(answers.output[sample]);
        if (static_cast<double>(row[static_cast<std::size_t>(labels[sample])]) < limit) continue;
        ++right.max;
        if (std::ranges::count_if(row, [&](T output) { return static_cast<double>(output) >= limit; }) == 1) ++right.min;
    }
    return right;
}

// Throws if the predictions or the labels are not those that the accuracy of this side comes from.
void check_accuracy(const Array& predictions, const std::string& port, const Side& side, const Answers& answers,
                    const std::vector<std::int64_t>& labels) {
    const auto accuracy = find(side.test, "accuracy");
    if (!accuracy) return;
    const Right right = predictions.dtype() == DType::Float32 ? right_among(predictions.values<float>(), answers, labels)
                                                              : right_among(predictions.values<double>(), answers, labels);
    constexpr double kTolerance = 1e-9;
    const auto samples = static_cast<double>(labels.size());
    if (*accuracy >= static_cast<double>(right.min) / samples - kTolerance &&
        *accuracy <= static_cast<double>(right.max) / samples + kTolerance)
        return;
    throw stage_error(fmt::format("{}_predictions ({}) is right on {} of {} samples by these labels, but its metrics say accuracy {}",
                                  port, side.name, right.max, labels.size(), number_text("accuracy", *accuracy)),
                      kConnectEvaluations);
}

// The paired test over the samples, if the predictions are connected. Throws unless both sides' are answers to the same questions.
std::optional<McNemar> paired_test(const StageInputs& inputs, const Side& baseline, const Side& candidate) {
    if (!connected(inputs, "labels")) return std::nullopt;  // all three or none: they share N
    const Answers first = answers_at(inputs, "baseline", baseline), second = answers_at(inputs, "candidate", candidate);
    const Array& classes = array_at(inputs, "labels");
    const auto labels = labels_of(classes, first.classes);
    if (!labels)
        throw stage_error(fmt::format("labels is not of class numbers 0 to {}, but the predictions have {} classes", first.classes - 1,
                                      first.classes),
                          kConnectEvaluations);
    if (labels->size() != first.answer.size() || labels->size() != second.answer.size())
        throw stage_error(fmt::format("labels has {} samples, baseline_predictions {} and candidate_predictions {}", labels->size(),
                                      first.answer.size(), second.answer.size()),
                          kConnectEvaluations);
    check_accuracy(array_at(inputs, "baseline_predictions"), "baseline", baseline, first, *labels);
    check_accuracy(array_at(inputs, "candidate_predictions"), "candidate", candidate, second, *labels);
    return mcnemar(first, second, *labels);
}

// Metrics on other data are no comparison. A training's metrics have no number of samples.
void check_samples(const Side& baseline, const Side& candidate) {
    const auto first = baseline.test.find("samples"), second = candidate.test.find("samples");
    if (first == baseline.test.end() || second == candidate.test.end() || first->second == second->second) return;
    throw stage_error(fmt::format("baseline ({}) was evaluated on {} samples, but candidate ({}) on {}", baseline.name, first->second,
                                  candidate.name, second->second),
                      "evaluate both on the same test data");
}

std::string verdict(const Side& baseline, const Side& candidate, const std::string& metric, double p, double p0,
                    const std::optional<McNemar>& test) {
    const std::string found =
        p0 == p ? fmt::format("{} and {} have the same {}", candidate.name, baseline.name, metric)
                : fmt::format("{}'s {} is {} {} {}'s", candidate.name, metric,
                              is_accuracy(metric) ? fmt::format("{:.2f} points", 100 * std::abs(p0 - p))
                                                  : fmt::format("{:.4f}", std::abs(p0 - p)),
                              p0 > p ? "above" : "below", baseline.name);
    if (!test || metric != "accuracy")
        return fmt::format("{}; one number each does not say whether they differ by more than chance", found);
    const std::string why = fmt::format("McNemar's exact test: {}; {} alone is right on {} samples, {} alone on {}",
                                        test->p_value < 1e-4 ? "p < 0.0001" : fmt::format("p = {:.4f}", test->p_value), candidate.name,
                                        test->only_second, baseline.name, test->only_first);
    if (!test->tells_apart()) return fmt::format("P0 and P cannot be told apart: {} ({})", found, why);
    return fmt::format("P0 is {} than P: {} ({})", test->only_second > test->only_first ? "better" : "worse", found, why);
}

Table comparison(const Side& baseline, const Side& candidate, const std::string& metric, double p, double p0,
                 const std::optional<McNemar>& test) {
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
    table.notes.push_back(verdict(baseline, candidate, metric, p, p0, test));
    add_row(table, fmt::format("training - test {}", metric), metric, gap_of(baseline, metric), gap_of(candidate, metric));
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
    if (const auto number = find(side.test, metric)) {
        if (!std::isfinite(*number))
            throw stage_error(fmt::format("the {} of {} is {}: there is nothing to compare", metric, side.name, *number));
        return *number;
    }
    std::vector<std::string> names;
    for (const auto& [name, number] : side.test) names.push_back(name);
    throw stage_error(fmt::format("{} has no metric '{}'", side.name, metric), did_you_mean(metric, names));
}

StageOutput run(const StageInputs& inputs, StageContext& context) {
    const std::string& metric = context.params().text("metric");
    const Side baseline = side_of(inputs, context.params(), "baseline");
    const Side candidate = side_of(inputs, context.params(), "candidate");
    check_samples(baseline, candidate);
    const double p = required(baseline, metric);
    const double p0 = required(candidate, metric);
    Numbers numbers{{"p", p}, {"p0", p0}, {"difference", p0 - p}};
    if (const auto gap = gap_of(baseline, metric)) numbers.emplace_back("gap/p", *gap);
    if (const auto gap = gap_of(candidate, metric)) numbers.emplace_back("gap/p0", *gap);
    StageOutput outcome{{{"metrics", metrics_group(numbers)}}, {}};
    if (Table table = curves(baseline, candidate, metric); !table.rows.empty()) outcome.tables.push_back(std::move(table));
    outcome.tables.push_back(comparison(baseline, candidate, metric, p, p0, paired_test(inputs, baseline, candidate)));
    return outcome;
}

PortDescription metrics(std::string name, PortRole role, bool optional, std::string help) {
    return {.name = std::move(name), .kind = PortKind::Metrics, .optional = optional, .help = std::move(help), .role = role};
}

PortDescription history(std::string name) {
    return {.name = std::move(name), .kind = PortKind::History, .optional = true, .help = "history, for the curves over the epochs"};
}

PortDescription predictions(std::string name, std::string help) {
    return {.name = std::move(name),
            .dtypes = {DType::Float32, DType::Float64},
            .shape = "[N, C]",
            .optional = true,
            .help = std::move(help)};
}

}  // namespace

StageEntry compare_stage() {
    return {
        .description = {
            .kind = "compare",
            .version = 2,
            .help = "Compare the metrics of a candidate (P0) with those of a baseline (P)",
            .inputs = {metrics("baseline", PortRole::Baseline, false, "metrics of the baseline on test data"),
                       metrics("candidate", PortRole::Candidate, false, "metrics of the candidate on test data"),
                       metrics("baseline_train", PortRole::BaselineTraining, true, "metrics of the baseline on training data"),
                       metrics("candidate_train", PortRole::CandidateTraining, true, "metrics of the candidate on training data"),
                       history("baseline_history"),
                       history("candidate_history"),
                       predictions("baseline_predictions", "predictions of the baseline on the test data, for McNemar's paired test"),
                       predictions("candidate_predictions", "predictions of the candidate on the same data"),
                       {.name = "labels", .dtypes = {DType::UInt8, DType::Int32, DType::Int64}, .shape = "[N]", .optional = true,
                        .help = "class numbers of the test data"}},
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
