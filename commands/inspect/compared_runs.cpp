#include "commands/inspect/compared_runs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <iterator>
#include <optional>

#include "commands/inspect/run_text.h"
#include "pipeline/records/run_record.h"
#include "pipeline/records/run_summary.h"
#include "pipeline/sweep/sweep_axis.h"
#include "pipeline/sweep/sweep_summary.h"

namespace satdl {

namespace {

// "RUN[noise=0,seed=1]", taken apart.
struct Reference {
    std::string text, name;
    std::vector<std::pair<std::string, std::string>> settings;
    bool has_settings = false;
};

Reference parsed(const std::string& text) {
    Reference reference{.text = text, .name = text.substr(0, text.find('[')), .settings = {}};
    if (reference.name == text) return reference;
    reference.has_settings = true;
    if (!text.ends_with(']'))
        throw Error(ExitCode::Usage, fmt::format("in '{}' the bracket is not closed", printable(text)),
                    "for example: '[noise=0.2,seed=1]'");
    std::string inside = text.substr(reference.name.size() + 1);
    inside.back() = ',';
    for (std::size_t from = 0; from < inside.size();) {
        const std::size_t comma = inside.find(',', from);
        const std::string setting = inside.substr(from, comma - from);
        const std::size_t equals = setting.find('=');
        if (equals == std::string::npos || equals == 0)
            throw Error(ExitCode::Usage, fmt::format("'{}' in '{}' is not name=value", printable(setting), printable(text)),
                        "for example: '[noise=0.2,seed=1]'");
        reference.settings.emplace_back(setting.substr(0, equals), setting.substr(equals + 1));
        from = comma + 1;
    }
    return reference;
}

// One run, or one point of a sweep.
struct Candidate {
    std::size_t argument = 0;
    std::string run;
    std::map<std::string, std::string> params;    // every one
    std::map<std::string, std::string> settings;  // of the sweep's axes
    ComparedPoint point;
};

// The stage that a column is of: "compare" of "compare.gap/p".
const StageFacts* stage_of_column(const RunFacts& run, const std::string& column,
                                  const std::map<std::string, std::string>& name_in_run) {
    const StageFacts* found = nullptr;
    std::size_t longest = 0;
    for (const auto& [plain, name] : name_in_run) {
        if (!column.starts_with(plain + ".") || plain.size() < longest) continue;
        longest = plain.size();
        found = run.find(name);
    }
    return found;
}

class Collector {
public:
    Collector(OpenStore& open, const KnownStages& stages) : open_(open), stages_(stages) {}

    void add(std::size_t argument, const Reference& reference) {
        const std::string run = run_of(reference);
        const Json& summary = summary_of(run);
        if (!reference.has_settings) {
            if (summary.at("points").empty()) return take(argument, run, std::nullopt, "");
            for (std::size_t i = 0; i < summary.at("points").size(); ++i) take(argument, run, i, "");
            return;
        }
        check_settings(reference, run, summary);
        bool any = false;
        for (std::size_t i = 0; i < summary.at("points").size(); ++i) {
            if (!agrees(summary.at("points")[i].at("settings"), reference)) continue;
            take(argument, run, i, is_stage(reference.name) ? reference.name : "");
            any = true;
        }
        if (!any)
            throw Error(ExitCode::Usage,
                        fmt::format("no point of the sweep {} has all of '{}'", run, printable(reference.text)),
                        fmt::format("`satdl log --points -w 'run = {}'` lists its points", run));
    }

    [[nodiscard]] const std::vector<Candidate>& candidates() const { return candidates_; }
    [[nodiscard]] const std::set<std::string>& repeated() const { return repeated_; }
    [[nodiscard]] const std::vector<std::string>& main() const { return main_; }

    [[nodiscard]] std::vector<std::string> problems_of(const std::string& run) {
        const Json& summary = summary_of(run);
        const auto outcome = summary.at("outcome").get<std::string>();
        if (outcome == "done") return {};
        std::vector<std::string> problems =
            outcome == "interrupted" ? resumable_stages(summary, open_) : std::vector<std::string>{};
        if (problems.empty())
            problems.push_back(fmt::format("run {} {}", run, outcome == "failed" ? "failed" : "is " + outcome));
        return problems;
    }

    // Of the runs, each once, with the points that were taken.
    [[nodiscard]] std::vector<RunFacts> facts() {
        std::vector<RunFacts> all;
        for (auto& [run, facts] : facts_) {
            keep_points(facts, points_[run]);
            mark_interrupted(facts, open_);
            all.push_back(std::move(facts));
        }
        return all;
    }

private:
    // Ids of runs begin with a digit, names of stages with a letter.
    static bool is_stage(const std::string& name) {
        return !name.empty() && std::isdigit(static_cast<unsigned char>(name.front())) == 0;
    }

    std::string run_of(const Reference& reference) {
        if (!reference.has_settings || (!reference.name.empty() && !is_stage(reference.name)))
            return find_run(open_.folder(), reference.name, open_.files());
        for (const std::string& run : recorded_runs(open_.folder(), open_.files())) {
            if (summary_of(run).at("points").empty()) continue;
            check_has_stage(run, reference.name);
            return run;
        }
        throw Error(ExitCode::Usage,
                    fmt::format("'{}' is a point of a sweep, and no sweep has run here yet", printable(reference.text)),
                    "`satdl run DAG NAME=1,2` runs one");
    }

    void check_has_stage(const std::string& run, const std::string& stage) {
        if (stage.empty()) return;
        std::set<std::string> names;
        for (const Json& point : facts_of(run).points)
            for (const auto& [name, its] : point.at("stages").items()) names.insert(name);
        if (names.contains(stage)) return;
        throw Error(ExitCode::Usage, fmt::format("the newest sweep {} has no stage '{}'", run, printable(stage)),
                    did_you_mean(stage, std::vector<std::string>(names.begin(), names.end())));
    }

    static void check_settings(const Reference& reference, const std::string& run, const Json& summary) {
        const Json& points = summary.at("points");
        if (points.empty())
            throw Error(ExitCode::Usage,
                        fmt::format("run {} is no sweep: it has no point '{}'", run, printable(reference.text)),
                        fmt::format("name the run alone: {}", run));
        for (const auto& [name, value] : reference.settings) {
            std::vector<std::string> axes, values;
            for (const auto& [axis, its] : points.front().at("settings").items()) axes.push_back(axis);
            if (std::ranges::find(axes, name) == axes.end())
                throw Error(ExitCode::Usage, fmt::format("the sweep {} does not vary '{}'", run, printable(name)),
                            did_you_mean(name, axes));
            for (const Json& point : points) {
                const std::string text = plain_text(point.at("settings").at(name));
                if (std::ranges::find(values, text) == values.end()) values.push_back(text);
            }
            if (std::ranges::find(values, value) == values.end())
                throw Error(ExitCode::Usage,
                            fmt::format("no point of the sweep {} has {}={}", run, printable(name), printable(value)),
                            fmt::format("its values: {}", fmt::join(values, ", ")));
        }
    }

    static bool agrees(const Json& settings, const Reference& reference) {
        return std::ranges::all_of(reference.settings,
                                   [&](const auto& one) { return plain_text(settings.at(one.first)) == one.second; });
    }

    const Json& summary_of(const std::string& run) {
        const auto [found, is_new] = summaries_.try_emplace(run);
        if (is_new) {
            found->second = summary_of_run(open_.folder(), run, open_.files(), open_.index());
            found->second["outcome"] = outcome_of(found->second, open_.folder());
        }
        return found->second;
    }

    RunFacts& facts_of(const std::string& run) {
        const auto [found, is_new] = facts_.try_emplace(run);
        if (is_new) {
            found->second = facts_of_run(open_.folder(), run, open_.files());
            stages_.describe(found->second);
        }
        return found->second;
    }

    void take(std::size_t argument, const std::string& run, std::optional<std::size_t> point, const std::string& stage) {
        if (!points_[run].insert(point.value_or(0)).second) return;  // it was named before
        const Json& summary = summary_of(run);
        RunFacts& facts = facts_of(run);
        Candidate candidate{.argument = argument, .run = run, .params = {}, .settings = {}, .point = {}};
        candidate.params["(DAG)"] = summary.at("dag").get<std::string>();
        for (const char* values : {"params", "set"})
            for (const auto& [name, value] : summary.at(values).items()) candidate.params[name] = plain_text(value);
        Json metrics = summary.at("metrics");
        std::map<std::string, std::string> name_in_run;  // by the stage's name in the DAG file
        for (const StageFacts& one : facts.stages) name_in_run.emplace(one.name, one.name);
        if (point) {
            const Json& its = summary.at("points").at(*point);
            metrics = its.at("metrics");
            for (const auto& [name, value] : its.at("settings").items())
                candidate.params[name] = candidate.settings[name] = plain_text(value);
            if (*point < facts.points.size())
                for (const auto& [plain, one] : facts.points[*point].at("stages").items())
                    name_in_run[plain] = one.at("stage").get<std::string>();
            for (const Json& axis : facts.axes)
                if (axis.at("repeats") == true) repeated_.insert(axis.at("param").get<std::string>());
        }
        if (!stage.empty()) metrics = metrics_of_stage(facts, name_in_run.at(stage), stage);
        for (const auto& [column, value] : metrics.items())
            if (value.is_number()) candidate.point.metrics[column] = value.get<double>();
        for (const auto& [column, value] : candidate.point.metrics) {
            if (const auto key = source_of(facts, column, name_in_run)) candidate.point.artifacts[column] = *key;
        }
        if (stage.empty()) {
            for (const Json& column : summary.at("main")) add_main(column.get<std::string>());
        } else {
            for (const auto& [column, value] : candidate.point.metrics) add_main(column);
        }
        candidates_.push_back(std::move(candidate));
    }

    void add_main(const std::string& column) {
        if (std::ranges::find(main_, column) == main_.end()) main_.push_back(column);
    }

    // From its artifact: the record of a sweep has only the metrics of its table.
    Json metrics_of_stage(const RunFacts& facts, const std::string& name, const std::string& stage) {
        const StageFacts* const its = facts.find(name);
        const auto header =
            its != nullptr && its->key && its->has_outcome() ? open_.store().header(*its->key) : std::nullopt;
        if (!header)
            throw Error(ExitCode::Usage, fmt::format("there is no artifact of {} in the store", printable(name)),
                        "a run of the DAG makes it again");
        if (header->metrics.empty())
            throw Error(ExitCode::Usage, fmt::format("{} has no metrics", printable(stage)),
                        "name a stage that reports some, or the point alone");
        Json metrics = Json::object();
        const std::vector<std::string> columns = metric_columns(stage, header->metrics);
        auto column = columns.begin();
        for (const auto& [port, values] : header->metrics)
            for (const auto& [metric, value] : values) metrics[*column++] = value;
        return metrics;
    }

    // The key of the artifact that the number comes from: of the column's stage, or of the one whose number it repeats.
    static std::optional<std::string> source_of(const RunFacts& facts, const std::string& column,
                                                const std::map<std::string, std::string>& name_in_run) {
        const StageFacts* stage = stage_of_column(facts, column, name_in_run);
        if (stage == nullptr) return std::nullopt;
        if (stage->description != nullptr) {
            const PortDescription* const input = source_input(plain_name(stage->name), *stage->description, column);
            const auto reads = std::ranges::find_if(
                stage->inputs, [&](const Reads& one) { return input != nullptr && one.port == input->name; });
            if (reads != stage->inputs.end()) stage = facts.find(reads->from);
        }
        return stage != nullptr && stage->key ? std::optional(stage->key->hex()) : std::nullopt;
    }

    // Leaves the other points of a sweep out of what is known of it; rows that lose a point go, too: their means are of all
    // points.
    static void keep_points(RunFacts& facts, const std::set<std::size_t>& kept) {
        if (facts.points.empty() || kept.size() == facts.points.size()) return;
        std::set<std::string> stages;
        Json points = Json::array(), rows = Json::array();
        std::map<std::size_t, std::size_t> place_of;
        for (const std::size_t point : kept) {
            place_of[point] = points.size();
            points.push_back(facts.points.at(point));
            for (const Json& stage : facts.points[point].at("stages")) stages.insert(stage.at("stage").get<std::string>());
        }
        bool whole = true;
        for (Json row : facts.rows) {
            const auto its = row.at("points").get<std::vector<std::size_t>>();
            const auto count = std::ranges::count_if(its, [&](std::size_t point) { return kept.contains(point); });
            whole = whole && (count == 0 || count == std::ssize(its));
            if (count == 0) continue;
            row["points"] = Json::array();
            for (const std::size_t point : its)
                if (kept.contains(point)) row["points"].push_back(place_of[point]);
            rows.push_back(std::move(row));
        }
        for (std::size_t row = 0; whole && row < rows.size(); ++row)
            for (const Json& point : rows[row]["points"]) points[point.get<std::size_t>()]["row"] = row;
        facts.points = std::move(points);
        facts.rows = whole ? std::move(rows) : Json::array();
        std::erase_if(facts.stages, [&](const StageFacts& stage) { return !stages.contains(stage.name); });
    }

    OpenStore& open_;
    const KnownStages& stages_;
    std::map<std::string, Json> summaries_;
    std::map<std::string, RunFacts> facts_;
    std::map<std::string, std::set<std::size_t>> points_;
    std::vector<Candidate> candidates_;
    std::set<std::string> repeated_;
    std::vector<std::string> main_;
};

// Candidates grouped into sides.
class Grouping {
public:
    // `repeats`: names whose values only repeat a setting; `differing`: of the parameters that are not the same everywhere.
    Grouping(const std::vector<Candidate>& candidates, const std::set<std::string>& differing,
             const std::set<std::string>& repeats)
        : candidates_(candidates), differing_(differing), repeats_(repeats) {}

    // `across`: whether runs that were named one by one may be the repetitions of one side.
    [[nodiscard]] std::vector<std::vector<std::size_t>> groups(bool across) const {
        std::vector<std::vector<std::size_t>> all;
        for (std::size_t i = 0; i < candidates_.size(); ++i) {
            const auto group = std::ranges::find_if(all, [&](const auto& members) { return belongs(i, members, across); });
            if (group == all.end())
                all.push_back({i});
            else
                group->push_back(i);
        }
        return all;
    }

    [[nodiscard]] std::string repetition(const Candidate& candidate) const {
        std::string text;
        for (const std::string& name : differing_)
            if (repeats_.contains(name))
                text += fmt::format("{}{}={}", text.empty() ? "" : ",", name, value_of(candidate, name));
        return text;
    }

    static std::string value_of(const Candidate& candidate, const std::string& name) {
        const auto found = candidate.params.find(name);
        return found == candidate.params.end() ? "" : found->second;
    }

private:
    [[nodiscard]] bool belongs(std::size_t i, const std::vector<std::size_t>& members, bool across) const {
        const Candidate& one = candidates_[i];
        if (!across && candidates_[members.front()].argument != one.argument) return false;
        for (const std::string& name : differing_)
            if (!repeats_.contains(name) && value_of(candidates_[members.front()], name) != value_of(one, name))
                return false;
        return std::ranges::none_of(members,
                                    [&](std::size_t member) { return repetition(candidates_[member]) == repetition(one); });
    }

    const std::vector<Candidate>& candidates_;
    const std::set<std::string>& differing_;
    const std::set<std::string>& repeats_;
};

std::set<std::string> differing_params(const std::vector<Candidate>& candidates) {
    std::set<std::string> names, differing;
    for (const Candidate& candidate : candidates)
        for (const auto& [name, value] : candidate.params) names.insert(name);
    for (const std::string& name : names) {
        const std::string first = Grouping::value_of(candidates.front(), name);
        if (std::ranges::any_of(candidates, [&](const Candidate& one) { return Grouping::value_of(one, name) != first; }))
            differing.insert(name);
    }
    return differing;
}

// Those of the sweeps, and what is called as a seed is.
std::set<std::string> repeating(const std::set<std::string>& differing, const std::set<std::string>& repeated) {
    std::vector<SweepAxis> axes;
    for (const std::string& name : differing) axes.push_back({.name = name, .values = {}});
    mark_repetitions(axes, std::nullopt);
    std::set<std::string> names;
    for (const SweepAxis& axis : axes)
        if (axis.repeats || repeated.contains(axis.name)) names.insert(axis.name);
    return names;
}

}  // namespace

ComparedRuns compared_runs(const std::vector<std::string>& what, OpenStore& open, const KnownStages& stages) {
    Collector collector(open, stages);
    for (std::size_t i = 0; i < what.size(); ++i) collector.add(i, parsed(what[i]));
    const std::vector<Candidate>& candidates = collector.candidates();
    const std::set<std::string> differing = differing_params(candidates);
    std::set<std::string> repeats = repeating(differing, collector.repeated());
    auto groups = Grouping(candidates, differing, repeats).groups(true);
    if (groups.size() == 1) groups = Grouping(candidates, differing, repeats).groups(false);
    if (groups.size() == 1) {  // the repetitions are all that there is to compare
        repeats.clear();
        groups = Grouping(candidates, differing, repeats).groups(false);
    }
    if (groups.size() < 2)
        throw Error(ExitCode::Usage, "compare needs two runs or more, or a sweep",
                    "`satdl log` lists the runs, `satdl sweep list` the sweeps");

    const Grouping grouping(candidates, differing, repeats);
    ComparedRuns compared{.sides = {},
                          .params = {differing.begin(), differing.end()},
                          .repetitions = {repeats.begin(), repeats.end()},
                          .metrics = collector.main(),
                          .all_metrics = {},
                          .facts = {}};
    std::set<std::string> all_metrics;
    for (const auto& members : groups) {
        ComparedSide& side = compared.sides.emplace_back();
        for (const std::size_t member : members) {
            const Candidate& one = candidates[member];
            if (std::ranges::find(side.runs, one.run) == side.runs.end()) {
                side.runs.push_back(one.run);
                std::ranges::move(collector.problems_of(one.run), std::back_inserter(side.problems));
            }
            for (const auto& [name, value] : one.settings)
                if (differing.contains(name) && !repeats.contains(name)) side.settings[name] = value;
            for (const std::string& name : differing) {
                std::vector<std::string>& values = side.params[name];
                const std::string value = Grouping::value_of(one, name);
                if (std::ranges::find(values, value) == values.end()) values.push_back(value);
            }
            ComparedPoint point = one.point;
            point.repetition = grouping.repetition(one);
            for (const auto& [metric, value] : point.metrics) all_metrics.insert(metric);
            side.points.push_back(std::move(point));
        }
    }
    compared.all_metrics.assign(all_metrics.begin(), all_metrics.end());
    std::erase_if(compared.metrics, [&](const std::string& metric) { return !all_metrics.contains(metric); });
    compared.facts = collector.facts();
    return compared;
}

}  // namespace satdl
