// The language of `satdl log`: conditions (which runs a list shows) and formulas (new numbers from those that a run has).
//
//   metrics.compare.p0 > 0.9 and params.noise_factor < 0.5
//   not (outcome = done) or note contains "second try" or params.seed is missing
//   abs(p0 - metrics.p) / sqrt(seconds) > 0.01
//
// Comparisons: = != < <= > >= with a number or a text (in quotes where it has spaces), and `contains` a text; what a run
// does not have satisfies none of them. `is missing`, `is not missing`. `not` binds more tightly than `and`, that more
// tightly than `or`.
//
// Arithmetic: + - * / (between spaces: names of metrics have a / or - of their own), parentheses, abs, min, max, log
// (natural), sqrt. Its result is missing where an operand is missing or no number, or where the result is not finite (a
// division by zero).
//
// Names: metrics.COLUMN, params.NAME; run, dag, file, profile, host, version, outcome, seconds, ran, reused, failed, note,
// tags. The last part of a column is enough (`p0`), and `metrics.` and `params.` may be left out, but for a name to the
// right of a comparison: a word there is a text.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pipeline/core/error.h"
#include "pipeline/core/json.h"

namespace satdl {

// Of a run's summary (run_summary.h), by such a name; null where it has none.
[[nodiscard]] Json value_in(const Json& run, std::string_view name);
// All names that these runs have values for.
[[nodiscard]] std::vector<std::string> names_in(std::span<const Json> runs);
// Throws Error{Usage}, at `place` if there is one, if none of the runs has a value of this name.
void check_name(const std::string& name, std::span<const Json> runs, const Place& place = {});

// Names of the values that an expression uses, each with its place in the text.
using UsedNames = std::vector<std::pair<std::string, Place>>;

// A condition.
class RunFilter {
public:
    // `where`: what the text is called in messages, as "--where". Throws Error{Usage} with a caret in the text.
    RunFilter(const std::string& text, const std::string& where);

    // Throws Error{Usage} for a name that none of the runs has a value for.
    void check_names(std::span<const Json> runs) const;
    [[nodiscard]] bool matches(const Json& run) const { return matches_(run); }

private:
    UsedNames names_;  // before matches_, whose parser fills it
    std::function<bool(const Json&)> matches_;
};

// A number that no run recorded, as "gain=p0 - p": it becomes a metric of every run.
class RunFormula {
public:
    // `where`: what the text is called in messages, as "--add". Throws Error{Usage} with a caret in the text.
    RunFormula(const std::string& text, const std::string& where);

    [[nodiscard]] const std::string& metric() const { return metric_; }
    // Throws Error{Usage} for a name that none of the runs has a value for, and if one of them has this metric already.
    void check_names(std::span<const Json> runs) const;
    // Sets the metric of the run and of each of its points; leaves it out where there is no number.
    void add_to(Json& run) const;

private:
    std::string metric_;
    Place place_;
    UsedNames names_;  // before value_, whose parser fills it
    std::function<Json(const Json&)> value_;
};

// The points of a sweep as runs of their own, each with its parameters and metrics. Precondition: the run is a sweep.
[[nodiscard]] std::vector<Json> points_of(const Json& run);

}  // namespace satdl
