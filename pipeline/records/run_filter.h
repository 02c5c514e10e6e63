// Which runs a list shows, and by what it is sorted.
//
//   metrics.compare.p0 > 0.9 and params.noise_factor < 0.5
//   not (outcome = done) or note contains "second try" or params.seed is missing
//
// Comparisons: = != < <= > >= with a number or a text (in quotes where it has spaces), and `contains` a text; what a run does not have
// satisfies none of them. `is missing`, `is not missing`. `not` binds more tightly than `and`, that more tightly than `or`.
//
// Names: metrics.COLUMN, params.NAME; run, dag, file, profile, host, version, outcome, seconds, ran, reused, failed, note, tags. The last
// part of a column is enough (`p0`), and `metrics.` and `params.` may be left out.
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

class RunFilter {
public:
    // `where`: what the text is called in messages, as "--where". Throws Error{Usage} with a caret in the text.
    RunFilter(const std::string& text, const std::string& where);

    // Throws Error{Usage} for a name that none of the runs has a value for.
    void check_names(std::span<const Json> runs) const;
    [[nodiscard]] bool matches(const Json& run) const { return matches_(run); }

private:
    std::vector<std::pair<std::string, Place>> names_;  // before matches_, whose parser fills it
    std::function<bool(const Json&)> matches_;
};

}  // namespace satdl
