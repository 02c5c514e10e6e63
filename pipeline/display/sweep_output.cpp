#include "pipeline/display/sweep_output.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "pipeline/core/json.h"
#include "pipeline/core/metric_text.h"
#include "pipeline/display/text_format.h"

namespace satdl {

namespace {

// A setting without the quotes and escapes of canonical text, which is JSON save for bare text.
std::string setting_text(const std::string& canonical) {
    const Json json = Json::parse(canonical, nullptr, false);
    return json.is_string() ? json.get<std::string>() : canonical;
}

std::string number_csv(const std::optional<double>& value) {
    return !value ? "" : std::isfinite(*value) ? canonical_number(*value) : metric_text(*value);
}

// "0.8812 ± 0.0031"; with n if fewer points have this metric than the row's other ones.
std::string sample_text(const Sample& sample, std::size_t row_n) {
    if (!sample.mean) return "-";
    std::string text = metric_text(*sample.mean);
    if (sample.sd) text += fmt::format(" ± {}", metric_text(*sample.sd));
    if (sample.n != row_n) text += fmt::format(" (n={})", sample.n);
    return text;
}

// "m1 failed: no luck", on one line; of several errors the first, and their number.
std::string error_text(const SweepSummary& report, const std::vector<std::size_t>& points) {
    std::string first;
    std::size_t failed = 0;
    for (const std::size_t point : points) {
        if (report.points[point].failures.empty()) continue;
        if (failed++ > 0) continue;
        for (std::size_t axis = 0; axis < report.axes.size(); ++axis) {
            if (report.axes[axis].repeats)
                first += fmt::format("{}={}: ", report.axes[axis].name, setting_text(report.points[point].settings[axis]));
        }
        first += first_line(report.points[point].failures.front().error);
    }
    return failed < 2 ? first : fmt::format("{} (and {} more)", first, failed - 1);
}

std::size_t count_of_best(const SweepSummary& report) {
    return static_cast<std::size_t>(std::ranges::count_if(report.rows, &SweepSummary::Row::best));
}

// "best" only of a row that its repetitions distinguish from all others; without repetitions the word says no more than the number does.
std::string best_word(const SweepSummary& report) {
    if (!report.has_intervals()) return *report.best == Best::Max ? "highest" : "lowest";
    return count_of_best(report) == 1 ? "best" : "among the best";
}

// The columns that have fewer artifacts than points in some row.
std::vector<std::string> columns_with_copies(const SweepSummary& report) {
    std::vector<std::string> columns;
    for (std::size_t column = 0; column < report.metrics.size(); ++column) {
        const auto has_copies = [&](const SweepSummary::Row& row) {
            const auto has_value = [&](std::size_t point) { return report.points[point].metrics[column].has_value(); };
            return row.metrics[column].n < static_cast<std::size_t>(std::ranges::count_if(row.points, has_value));
        };
        if (std::ranges::any_of(report.rows, has_copies)) columns.push_back(report.metrics[column]);
    }
    return columns;
}

// The points of a row of which every stage succeeded.
std::size_t count_of_done(const SweepSummary& report, const SweepSummary::Row& row) {
    return static_cast<std::size_t>(std::ranges::count_if(row.points, [&](std::size_t point) {
        return report.points[point].failures.empty() && !report.points[point].is_unfinished;
    }));
}

std::vector<std::string> cells_of(const SweepSummary& report, const SweepSummary::Row& row, bool any_failed) {
    std::vector<std::string> cells;
    for (std::size_t axis = 0; axis < report.axes.size(); ++axis) {
        if (!report.axes[axis].repeats) cells.push_back(setting_text(report.points[row.points.front()].settings[axis]));
    }
    std::size_t max = report.metrics.empty() ? count_of_done(report, row) : 0;
    for (const Sample& sample : row.metrics) max = std::max(max, sample.n);
    if (report.repeats()) {
        cells.push_back(max == row.points.size() ? fmt::format("{}", max) : fmt::format("{} of {}", max, row.points.size()));
    }
    for (const Sample& sample : row.metrics) cells.push_back(sample_text(sample, report.repeats() ? max : sample.n));
    if (report.sorted_by && report.best) cells.emplace_back(row.best ? best_word(report) : "");
    if (any_failed) cells.push_back(error_text(report, row.points));
    return cells;
}

// "noise_factor=0.1: "; "" if there is only one row.
std::string setting_label(const SweepSummary& report, const SweepSummary::Row& row) {
    if (report.rows.size() == 1) return {};
    std::string text;
    for (std::size_t axis = 0; axis < report.axes.size(); ++axis) {
        if (report.axes[axis].repeats) continue;
        text += fmt::format("{}{}={}", text.empty() ? "" : ", ", report.axes[axis].name,
                            setting_text(report.points[row.points.front()].settings[axis]));
    }
    return text + ": ";
}

std::vector<std::string> notes_of(const SweepSummary& report) {
    std::vector<std::string> notes;
    if (report.sorted_by && report.best) {
        notes.push_back(fmt::format("sorted by {}, {} first", report.metrics[*report.sorted_by],
                                    *report.best == Best::Max ? "highest" : "lowest"));
    } else if (report.sorted_by) {
        notes.push_back(fmt::format("not sorted: use --best max or --best min to say whether {} is maximised or minimised",
                                    report.metrics[*report.sorted_by]));
    }
    if (report.sorted_by && report.best && report.has_intervals() && count_of_best(report) > 1)
        notes.push_back(fmt::format("{} setting{} cannot be distinguished from the first: the 95 % intervals of the two means overlap, "
                                    "or one has none", count_of_best(report) - 1, count_of_best(report) == 2 ? "" : "s"));
    for (const SweepAxis& axis : report.axes)
        if (axis.unused) notes.push_back(unused_text(axis));
    if (report.metrics.empty() && std::ranges::all_of(report.rows, [&](const auto& row) { return count_of_done(report, row) > 0; }))
        notes.emplace_back("there is no metric to show: neither the targets nor the last stages of this run report one");
    if (!report.repeats() || report.metrics.empty()) return notes;
    notes.emplace_back("mean ± standard deviation over n repetitions");
    if (const auto copies = columns_with_copies(report); !copies.empty())
        notes.push_back(fmt::format("an artifact that several points share counts once: {}", fmt::join(copies, ", ")));
    if (std::ranges::all_of(report.rows, [](const auto& row) { return row.points.size() == 1; }))
        notes.emplace_back("n = 1: one value has no standard deviation and no interval");
    for (const auto& row : report.rows) {
        for (const auto& paired : row.paired) notes.push_back(setting_label(report, row) + describe(report, paired));
    }
    return notes;
}

}  // namespace

std::string unused_text(const SweepAxis& axis) {
    return fmt::format("{} reaches no stage of this run: its {} values give the same results", axis.name, axis.values.size());
}

Table to_table(const SweepSummary& report) {
    const bool any_failed =
        std::ranges::any_of(report.points, [](const auto& point) { return !point.failures.empty(); });
    Table table;
    for (const SweepAxis& axis : report.axes) {
        if (!axis.repeats) table.columns.push_back(axis.name);
    }
    if (report.repeats()) table.columns.emplace_back("n");
    table.columns.insert(table.columns.end(), report.metrics.begin(), report.metrics.end());
    if (report.sorted_by && report.best) table.columns.emplace_back();
    if (any_failed) table.columns.emplace_back("error");
    for (const auto& row : report.rows) table.rows.push_back(cells_of(report, row, any_failed));
    table.notes = notes_of(report);
    return table;
}

std::size_t label_columns(const SweepSummary& report) {
    const auto count = std::ranges::count_if(report.axes, [](const SweepAxis& axis) { return !axis.repeats; });
    return static_cast<std::size_t>(count) + (report.repeats() ? 1 : 0);
}

std::string to_csv(const SweepSummary& report) {
    Table table;
    for (const SweepAxis& axis : report.axes) table.columns.push_back(axis.name);
    table.columns.insert(table.columns.end(), report.metrics.begin(), report.metrics.end());
    if (report.repeats()) {
        for (const std::string& metric : report.metrics)
            table.columns.insert(table.columns.end(), {metric + ".mean", metric + ".sd", metric + ".n"});
    }
    table.columns.emplace_back("error");
    for (const auto& row : report.rows) {
        for (const std::size_t point : row.points) {
            auto& cells = table.rows.emplace_back();
            for (const auto& setting : report.points[point].settings) cells.push_back(setting_text(setting));
            for (const auto& value : report.points[point].metrics) cells.push_back(number_csv(value));
            for (const Sample& sample : row.metrics) {
                if (!report.repeats()) break;
                cells.insert(cells.end(), {number_csv(sample.mean), number_csv(sample.sd), fmt::format("{}", sample.n)});
            }
            const SweepSummary::Point& its = report.points[point];
            cells.push_back(!its.failures.empty() ? its.failures.front().error : its.is_unfinished ? "not finished" : "");
        }
    }
    return table_csv(table);
}

}  // namespace satdl
