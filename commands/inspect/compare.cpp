// satdl compare: runs and settings of sweeps beside each other: what was set differently, and what they came to.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "commands/inspect/compared_runs.h"
#include "commands/shared/run_display.h"
#include "pipeline/core/metric_text.h"
#include "pipeline/display/progress_display.h"
#include "pipeline/display/text_format.h"
#include "pipeline/os/shared_library.h"
#include "pipeline/sweep/sweep_summary.h"

namespace satdl {

namespace {

struct CompareOptions {
    std::string store = kDefaultStore;
    std::vector<std::string> what, metrics, stages;
    std::string csv, html;
    bool all = false, markdown = false, json = false;
};

constexpr std::size_t kMaxSides = 26;  // named a to z

std::string name_of_side(std::size_t side) {
    return std::string(1, static_cast<char>('a' + side));
}

// "20261124T031731.123456-4711[noise=0.2], 3 points of seed"
std::string text_of(const ComparedRuns& compared, const ComparedSide& side) {
    std::string settings;
    for (const auto& [name, value] : side.settings)
        settings += fmt::format("{}{}={}", settings.empty() ? "[" : ",", name, value);
    std::string text;
    for (const std::string& run : side.runs)
        text += fmt::format("{}{}{}", text.empty() ? "" : ", ", run, settings.empty() ? "" : settings + "]");
    if (side.points.size() > 1)
        text += fmt::format(", {} repetitions ({})", side.points.size(), fmt::join(compared.repetitions, ", "));
    return text;
}

// The parameters to show: a repetition only if the sides do not have the same ones.
std::vector<std::string> shown_params(const ComparedRuns& compared) {
    std::vector<std::string> names;
    for (const std::string& name : compared.params) {
        const auto& first = compared.sides.front().params.at(name);
        if (std::ranges::any_of(compared.sides, [&](const ComparedSide& side) { return side.params.at(name) != first; }))
            names.push_back(name);
    }
    return names;
}

std::vector<std::string> shown_metrics(const ComparedRuns& compared, const CompareOptions& options) {
    if (options.metrics.empty()) return options.all || compared.metrics.empty() ? compared.all_metrics : compared.metrics;
    std::vector<std::string> shown;
    for (const std::string& name : options.metrics) {
        const auto before = shown.size();
        for (const std::string& metric : compared.all_metrics)
            if (is_name_of_column(name, metric) && std::ranges::find(shown, metric) == shown.end()) shown.push_back(metric);
        if (shown.size() > before) continue;
        std::vector<std::string> known = compared.all_metrics;
        for (const std::string& metric : compared.all_metrics) known.emplace_back(short_name(metric));
        const auto near = nearest(name, known);
        throw Error(ExitCode::Usage, fmt::format("none of these runs has a metric '{}'", printable(name)),
                    near ? fmt::format("did you mean '{}'?", *near)
                         : fmt::format("known: {}", fmt::join(compared.all_metrics, ", ")));
    }
    return shown;
}

std::string with_sign(double value) {
    return fmt::format("{}{}", value > 0 ? "+" : "", metric_text(value));
}

std::string sample_text(const Sample& sample) {
    if (!sample.mean) return "";
    return sample.sd ? fmt::format("{} ± {}", metric_text(*sample.mean), metric_text(*sample.sd))
                     : metric_text(*sample.mean);
}

Table params_table(const ComparedRuns& compared) {
    Table table{.title = "Parameters that differ", .columns = {"parameter"}, .rows = {}, .notes = {}};
    for (std::size_t i = 0; i < compared.sides.size(); ++i) table.columns.push_back(name_of_side(i));
    for (const std::string& name : shown_params(compared)) {
        auto& row = table.rows.emplace_back(std::vector<std::string>{name});
        for (const ComparedSide& side : compared.sides)
            row.push_back(fmt::format("{}", fmt::join(side.params.at(name), ", ")));
    }
    return table;
}

Table metrics_table(const ComparedRuns& compared, const std::vector<MetricComparison>& metrics) {
    Table table{.title = "Metrics", .columns = {"metric", "a"}, .rows = {}, .notes = {}};
    std::vector<bool> has_interval;  // by difference
    for (std::size_t i = 1; i < compared.sides.size(); ++i) {
        const std::string difference = fmt::format("{} - a", name_of_side(i));
        table.columns.insert(table.columns.end(), {name_of_side(i), difference});
        has_interval.push_back(
            std::ranges::any_of(metrics, [&](const auto& one) { return one.differences[i - 1].interval.has_value(); }));
        if (has_interval.back()) table.columns.push_back(fmt::format("95 % interval of {}", difference));
    }
    bool any_zero = false, any_sd = false;
    for (const MetricComparison& metric : metrics) {
        auto& row = table.rows.emplace_back(std::vector<std::string>{metric.metric, sample_text(metric.sides.front())});
        any_sd = any_sd || std::ranges::any_of(metric.sides, [](const Sample& sample) { return sample.sd.has_value(); });
        for (std::size_t i = 0; i < metric.differences.size(); ++i) {
            const auto& [sample, interval] = metric.differences[i];
            row.push_back(sample_text(metric.sides[i + 1]));
            row.push_back(sample.mean ? with_sign(*sample.mean) : "");
            if (!has_interval[i]) continue;
            const bool zero = interval && interval->has_zero();
            row.push_back(!interval ? ""
                                    : fmt::format("{} to {}{}", with_sign(interval->low), with_sign(interval->high),
                                                  zero ? " *" : ""));
            any_zero = any_zero || zero;
        }
    }
    if (any_sd)
        table.notes.emplace_back("mean ± standard deviation; differences are means over the repetitions that both have");
    if (any_zero) table.notes.emplace_back("* cannot be distinguished from zero");
    return table;
}

Json number_or_null(const std::optional<double>& value) {
    return value ? number_to_json(*value) : Json(nullptr);
}

Json sample_json(const Sample& sample) {
    return {{"mean", number_or_null(sample.mean)}, {"sd", number_or_null(sample.sd)}, {"n", sample.n}};
}

Json comparison_json(const ComparedRuns& compared, const std::vector<MetricComparison>& metrics) {
    Json json = {{"sides", Json::array()},
                 {"repetitions", compared.repetitions},
                 {"params", Json::array()},
                 {"metrics", Json::array()}};
    for (std::size_t i = 0; i < compared.sides.size(); ++i) {
        const ComparedSide& side = compared.sides[i];
        json["sides"].push_back({{"name", name_of_side(i)},
                                 {"text", text_of(compared, side)},
                                 {"runs", side.runs},
                                 {"settings", side.settings},
                                 {"points", side.points.size()},
                                 {"problems", side.problems}});
    }
    for (const std::string& name : shown_params(compared)) {
        Json values = Json::array();
        for (const ComparedSide& side : compared.sides) values.push_back(side.params.at(name));
        json["params"].push_back({{"param", name}, {"values", std::move(values)}});
    }
    for (const MetricComparison& metric : metrics) {
        Json sides = Json::array(), differences = Json::array();
        for (const Sample& side : metric.sides) sides.push_back(sample_json(side));
        for (const auto& [sample, interval] : metric.differences) {
            Json& difference = differences.emplace_back(sample_json(sample));
            difference["low"] = interval ? Json(interval->low) : Json(nullptr);
            difference["high"] = interval ? Json(interval->high) : Json(nullptr);
            difference["told_from_zero"] = interval ? Json(!interval->has_zero()) : Json(nullptr);
        }
        json["metrics"].push_back(
            {{"metric", metric.metric}, {"sides", std::move(sides)}, {"differences", std::move(differences)}});
    }
    return json;
}

// Every digit: parameters, then metrics, a row each.
Table comparison_csv(const ComparedRuns& compared, const std::vector<MetricComparison>& metrics) {
    Table table{.title = {}, .columns = {"kind", "name"}, .rows = {}, .notes = {}};
    for (std::size_t i = 0; i < compared.sides.size(); ++i) {
        const std::string side = name_of_side(i);
        table.columns.insert(table.columns.end(), {side, side + ".sd", side + ".n"});
        if (i > 0)
            table.columns.insert(table.columns.end(), {side + "-a", side + "-a.low", side + "-a.high", side + "-a.n"});
    }
    const auto number = [](const std::optional<double>& value) { return value ? plain_text(number_to_json(*value)) : ""; };
    for (const std::string& name : shown_params(compared)) {
        auto& row = table.rows.emplace_back(std::vector<std::string>{"parameter", name});
        for (std::size_t i = 0; i < compared.sides.size(); ++i) {
            row.push_back(fmt::format("{}", fmt::join(compared.sides[i].params.at(name), ", ")));
            row.insert(row.end(), i == 0 ? 2 : 6, "");
        }
    }
    for (const MetricComparison& metric : metrics) {
        auto& row = table.rows.emplace_back(std::vector<std::string>{"metric", metric.metric});
        for (std::size_t i = 0; i < metric.sides.size(); ++i) {
            const Sample& side = metric.sides[i];
            row.insert(row.end(), {number(side.mean), number(side.sd), fmt::format("{}", side.n)});
            if (i == 0) continue;
            const auto& [sample, interval] = metric.differences[i - 1];
            row.insert(row.end(), {number(sample.mean), interval ? number(interval->low) : "",
                                   interval ? number(interval->high) : "", fmt::format("{}", sample.n)});
        }
    }
    return table;
}

void print_tables(const ComparedRuns& compared, const std::vector<MetricComparison>& metrics) {
    std::string text;
    for (std::size_t i = 0; i < compared.sides.size(); ++i) {
        const ComparedSide& side = compared.sides[i];
        text += wrapped_lines(printable(fmt::format("{}: {}", name_of_side(i), text_of(compared, side))) + '\n',
                              stdout_columns(), 3);
        for (const std::string& problem : side.problems) text += fmt::format("   {}\n", printable(problem));
    }
    if (const Table params = params_table(compared); params.rows.empty())
        text += "\nNo parameter differs\n";
    else
        text += "\n" + table_text(params, stdout_columns());
    if (const Table table = metrics_table(compared, metrics); table.rows.empty())
        text += "\nNone of them has a metric\n";
    else
        text += "\n" + table_text(table, stdout_columns());
    print_text(text);
}

ExitCode compare(const CompareOptions& options) {
    if (options.json + options.markdown + !options.csv.empty() + !options.html.empty() > 1)
        throw Error(ExitCode::Usage, "--json, --md, --csv and --html cannot be combined", "choose one of them");
    check_is_store(options.store);
    OpenStore open(options.store, Access::ReadOnly);
    const ProtectedFiles others{.files = {}, .store = open.folder()};
    std::optional<OutputFile> csv, html;
    std::optional<PageParts> parts;
    if (!options.csv.empty()) csv.emplace(options.csv, "the comparison", "--csv", others);
    if (!options.html.empty()) {
        parts = page_parts(program_folder() / "report", open.files());
        html.emplace(options.html, "the page", "--html", others);
    }
    const KnownStages stages(options.stages);
    ComparedRuns compared = compared_runs(options.what, open, stages);
    if (compared.sides.size() > kMaxSides)
        throw Error(ExitCode::Usage,
                    fmt::format("these are {} settings, and compare takes {} at most", compared.sides.size(), kMaxSides),
                    "choose some: 'RUN[NAME=VALUE]'; `satdl sweep show` has the table of all");
    std::vector<std::vector<ComparedPoint>> sides;
    for (const ComparedSide& side : compared.sides) sides.push_back(side.points);
    const std::vector<MetricComparison> metrics = compare_sides(sides, shown_metrics(compared, options));
    if (csv) {
        csv->write(table_csv(comparison_csv(compared, metrics)));
    } else if (options.json) {
        fmt::print("{}\n", dump_json(comparison_json(compared, metrics)));
    } else if (html) {
        Json comparison = comparison_json(compared, metrics);
        ReportPage page = report_page(std::move(compared.facts), stages, open);
        page.document["compared"] = std::move(comparison);
        write_page(page, *parts, *html, options.html);
    } else if (options.markdown) {
        print_text(table_markdown(params_table(compared)) + "\n" + table_markdown(metrics_table(compared, metrics)));
    } else {
        print_tables(compared, metrics);
    }
    return ExitCode::Done;
}

}  // namespace

void add_compare_command(Command& program) {
    program.add_command<CompareOptions>(
        "compare", "compare runs, or settings of a sweep: parameters that differ, metrics",
        "Examples:\n"
        "  satdl compare 20261124T031731 20261123T171112     two runs\n"
        "  satdl compare 20261124T031731                     the settings of a sweep\n"
        "  satdl compare '[noise=0]' '[noise=0.2]'           two of the newest sweep, over their seeds\n"
        "  satdl compare 'm2[seed=1]' 'm2[seed=2]'           the metrics of one stage\n"
        "  satdl compare '[noise=0]' '[noise=0.2]' --html page.html\n"
        "`satdl diff` says why two artifacts differ, and how (docs/runs.md).",
        [](Command& command, CompareOptions& options) {
            command.add_option("what", options.what, kRunReference).required().type_name("RUN");
            command.add_option("--metrics", options.metrics, "metrics to compare; default: those of the last stages")
                .delimiter(',')
                .type_name("NAME,...");
            command.add_flag("-a,--all", options.all, "all metrics");
            command.add_option("--csv", options.csv, "write the comparison as CSV, with all digits; - is stdout")
                .type_name("FILE");
            command.add_flag("--md", options.markdown, "print tables in Markdown");
            command.add_flag("--json", options.json, "print the result as JSON (docs/json.md)");
            command.add_option("--html", options.html, "write the report of just these as one HTML page; - is stdout")
                .type_name("FILE");
            add_stages_option(command, options.stages);
            add_store_option(command, options.store);
        },
        compare);
}

}  // namespace satdl
