// The result of a sweep: its points, and its settings over their repetitions.
//
// A repetition (a seed) is not a setting: a table has one row per setting, with mean, standard deviation and n over its points.
// If a row has two metrics that belong together, they are compared point by point: what both have in common for a seed
// cancels in their difference, which two separate means cannot show.
//
// A repetition counts only if it gave an artifact of its own. Points that share the artifact that a number comes from (a seed that no
// stage reads, or only one of two models) repeat nothing: n counts artifacts, so copies neither narrow an interval nor add to a mean.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/sweep/mean_interval.h"
#include "pipeline/sweep/sweep.h"

namespace satdl {

// Port -> name -> value, of the Metrics ports of one stage.
using Metrics = std::map<std::string, std::map<std::string, double>>;

// Whether the node's stage has a Metrics port.
[[nodiscard]] bool has_metrics(const Node& node);
// The columns of one stage's metrics: "compare.p", or "stage.port.name" where it has several Metrics ports.
[[nodiscard]] std::vector<std::string> metric_columns(const std::string& stage, const Metrics& metrics);
// The columns of the pairs of metrics that a stage of this description compares (PortDescription::MetricsRule::pairs).
[[nodiscard]] std::vector<std::pair<std::string, std::string>> paired_columns(const std::string& stage, const StageDescription& description);
// The input of a stage of this description whose artifact the number of a column ("compare.p", of the stage `stage`) comes from;
// nullptr: the number is the stage's own.
[[nodiscard]] const PortDescription* source_input(const std::string& stage, const StageDescription& description, std::string_view column);
// "compare.difference" -> "difference", the short name that users may give.
[[nodiscard]] std::string_view short_name(std::string_view column);
// Whether `name` refers to `column`: "compare.p", or "p".
[[nodiscard]] bool is_name_of_column(std::string_view name, std::string_view column);

enum class Best { Max, Min };
[[nodiscard]] std::string_view name_of(Best best);  // "max"
// Whether a metric is maximised or minimised, by the last word of its name: accuracy, precision, recall: max; loss, error: min.
[[nodiscard]] std::optional<Best> usual_best(std::string_view metric);

struct SweepQuery {
    std::vector<std::string> metrics;  // columns: "compare.p", or "p": of every stage that has it; none: see summarise_sweep()
    std::optional<Best> best;          // whether the first of them is maximised or minimised; nullopt: usual_best()
    std::vector<std::pair<std::string, std::string>> paired;  // (A, B): B - A; none: paired_columns() of each stage
    std::vector<std::string> targets{};  // nodes and groups that were requested by name: their metrics are columns, too
};

// How a node of the run ended.
struct SweepOutcome {
    std::optional<Digest> key;         // of its artifact; nullopt if it has none
    std::optional<std::string> error;  // the whole message, if it failed
};

struct SweepSummary {
    struct Failure {
        NodeId node = 0;
        std::string error;
    };
    struct Point {
        std::vector<std::string> settings;           // in the order of `axes`
        std::vector<std::optional<double>> metrics;  // in the order of `metrics`; nullopt if the point has none
        std::vector<Failure> failures;
        bool is_unfinished = false;  // a stage of it has neither an artifact nor an error: the run was stopped before
        std::size_t row = 0;  // its setting, in `rows`
    };
    // B - A over the points of a row that have both, each pair of artifacts counted once.
    struct Paired {
        std::size_t a = 0, b = 0;  // in `metrics`
        Sample difference;
        std::optional<Interval> interval;  // 95 %; nullopt if mean_interval_95() has none
        std::size_t points = 0;            // that have both
        // If several points have both: the stages whose artifact is the same in all of them, and those that have several.
        std::vector<std::string> same{}, varying{};
    };
    // One setting.
    struct Row {
        std::vector<std::size_t> points;  // in the sweep's order
        std::vector<Sample> metrics;      // in the order of `metrics`; n: different artifacts
        std::vector<Paired> paired;
        // The first row of a sorted table, and those that its repetitions cannot distinguish from it: one of the two has no interval, or
        // the intervals of their means overlap. If no row has an interval: those with the first row's value.
        bool best = false;
    };
    std::vector<SweepAxis> axes;
    std::vector<std::string> metrics;  // "compare.p", or "stage.port.name" where a stage has several Metrics ports
    std::vector<Point> points;         // in the sweep's order
    std::vector<Row> rows;             // the best first if a metric was requested, else in the sweep's order
    std::optional<std::size_t> sorted_by;  // in `metrics`
    std::optional<Best> best;
    std::vector<std::string> unknown;  // requested names that no stage reported
    std::vector<std::string> reported; // all names that could have been requested

    [[nodiscard]] bool repeats() const;  // whether an axis is a repetition
    [[nodiscard]] bool has_intervals() const;  // whether a row has one of the mean of the metric that sorts the table
};

// `outcomes`: of every node of the run; `metrics_of`: a node's metrics, none if it has no artifact. Columns without a question: the metrics
// of the stages that no other stage of the run reads, and of the targets.
[[nodiscard]] SweepSummary summarise_sweep(const Sweep& sweep, const std::map<NodeId, SweepOutcome>& outcomes,
                                           const std::function<Metrics(NodeId)>& metrics_of, const SweepQuery& query);

// "compare.p0 - compare.p = +0.0123, 95 % interval -0.0010 to +0.0256, n = 5: cannot be distinguished from zero"
[[nodiscard]] std::string describe(const SweepSummary& report, const SweepSummary::Paired& paired);

}  // namespace satdl
