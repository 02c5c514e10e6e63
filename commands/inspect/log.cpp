// satdl log: lists runs, the newest first.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <set>

#include "commands/inspect/log_run.h"
#include "commands/inspect/run_text.h"
#include "commands/shared/output_file.h"
#include "commands/shared/session.h"
#include "commands/shared/warnings.h"
#include "pipeline/core/json.h"
#include "pipeline/core/metric_text.h"
#include "pipeline/core/time_text.h"
#include "pipeline/display/progress_display.h"
#include "pipeline/display/text_format.h"
#include "pipeline/records/json_events.h"
#include "pipeline/records/run_expression.h"
#include "pipeline/records/run_record.h"
#include "pipeline/records/run_summary.h"
#include "pipeline/sweep/sweep_summary.h"

namespace satdl {

namespace {

struct LogOptions {
    StoreOptions store;
    std::vector<std::string> dags;
    std::string where, sort, csv;
    std::vector<std::string> metrics, add;
    std::int64_t limit = 20;
    bool all = false, points = false, reverse = false, markdown = false, json = false;
};

constexpr int kCellColumns = 36;  // of settings and notes on a terminal

// ---- which runs ----

class RunList {
public:
    // `ids`: of the store's runs, the newest first.
    RunList(OpenStore& store, const std::vector<std::string>& ids, const LogOptions& options)
        : store_(store), ids_(ids), options_(options) {}

    // Those that the options choose, in their order.
    std::vector<Json> chosen() {
        std::optional<RunFilter> filter;
        if (!options_.where.empty()) filter.emplace(options_.where, "--where");
        std::vector<RunFormula> formulas;
        for (const std::string& text : options_.add) formulas.emplace_back(text, "--add");
        const bool needs_all = filter || !formulas.empty() || !options_.sort.empty();
        std::vector<Json> runs = read(needs_all || options_.all ? std::nullopt : std::optional(limit()));
        for (const RunFormula& formula : formulas) {
            formula.check_names(with_points(runs));
            for (Json& run : runs) formula.add_to(run);
        }
        if (filter) {
            filter->check_names(runs);
            std::erase_if(runs, [&](const Json& run) { return !filter->matches(run); });
        }
        if (!options_.sort.empty()) sort(runs);
        if (options_.reverse) std::ranges::reverse(runs);
        hidden_ = options_.all || runs.size() <= limit() ? hidden_ : runs.size() - limit();
        if (!options_.all && runs.size() > limit()) runs.resize(limit());
        return runs;
    }

    [[nodiscard]] std::size_t hidden() const { return hidden_; }  // by the limit

private:
    [[nodiscard]] std::size_t limit() const { return static_cast<std::size_t>(options_.limit); }

    [[nodiscard]] bool is_wanted(const Json& run) const {
        return options_.dags.empty() ||
               std::ranges::find(options_.dags, run.at("dag").get<std::string>()) != options_.dags.end();
    }

    // A sweep that is listed as one line has its numbers in its points.
    static std::vector<Json> with_points(std::vector<Json> runs) {
        const std::size_t count = runs.size();
        for (std::size_t i = 0; i < count; ++i) std::ranges::move(points_of(runs[i]), std::back_inserter(runs));
        return runs;
    }

    // At most so many, the newest first.
    std::vector<Json> read(std::optional<std::size_t> most) {
        const Index::Batch one_transaction(store_.index());
        std::vector<Json> runs;
        std::size_t seen = 0;
        for (const std::string& id : ids_) {
            if (most && runs.size() >= *most) break;
            ++seen;
            Json run = summary_of_run(store_.folder(), id, store_.files(), store_.index());
            if (!is_wanted(run)) continue;
            if (run.at("damaged") == true)
                print_warning(fmt::format("the record of run {} is damaged: its row may lack something", printable(id)));
            run["outcome"] = outcome_of(run, store_.folder());
            if (!options_.points || run.at("points").empty())
                runs.push_back(std::move(run));
            else
                std::ranges::move(points_of(run), std::back_inserter(runs));
        }
        if (options_.dags.empty()) hidden_ = ids_.size() - seen;
        if (options_.all) add_reused(runs);
        return runs;
    }

    void add_reused(std::vector<Json>& runs) const {
        for (Json& run : summaries_of_reused_runs(store_.folder(), store_.files()))
            if (is_wanted(run)) runs.push_back(std::move(run));
        std::ranges::stable_sort(runs, std::greater(), [](const Json& run) { return run.at("run").get<std::string>(); });
    }

    // The best first where the metric's name says what is better, else the greatest; runs without it last.
    void sort(std::vector<Json>& runs) const {
        const std::string& name = options_.sort;
        check_name(name, runs);
        const bool ascending = usual_best(name) == Best::Min;
        std::ranges::stable_sort(runs, [&](const Json& a, const Json& b) {
            const Json first = value_in(a, name), second = value_in(b, name);
            if (first.is_null() || second.is_null()) return !first.is_null() && second.is_null();
            return ascending ? first < second : second < first;
        });
    }

    OpenStore& store_;
    const std::vector<std::string>& ids_;
    const LogOptions& options_;
    std::size_t hidden_ = 0;
};

// ---- what is shown of them ----

// What people look at first: how good a model is, on data that it was not trained on.
int rank_of(const std::string& metric) {
    return (usual_best(metric) ? 0 : 2) + (metric.find("train/") == metric.npos ? 0 : 1);
}

std::vector<std::string> added_metrics(const LogOptions& options) {
    std::vector<std::string> names;
    for (const std::string& formula : options.add) names.push_back(formula.substr(0, formula.find('=')));
    return names;
}

// The metrics that were asked for, else the main ones, in the order of the runs; those of --add first.
std::vector<std::string> columns_of(const std::vector<Json>& runs, const LogOptions& options) {
    std::vector<std::string> columns = added_metrics(options);
    std::set<std::string> seen(columns.begin(), columns.end());
    if (!options.metrics.empty()) {
        for (const std::string& metric : options.metrics) {
            if (!seen.contains(metric)) check_name(metric, runs);
            if (seen.insert(metric).second) columns.push_back(metric);
        }
        return columns;
    }
    const auto added = static_cast<std::ptrdiff_t>(columns.size());
    for (const Json& run : runs) {
        if (!run.at("points").empty()) continue;  // a sweep has no one number
        for (const Json& column : run.at("main"))
            if (seen.insert(column.get<std::string>()).second) columns.push_back(column.get<std::string>());
    }
    std::ranges::stable_sort(columns.begin() + added, columns.end(), {}, rank_of);
    return columns;
}

struct View {
    std::vector<std::string> metrics;
    std::size_t id_length = 0;
    double now = 0;
    bool has_dags = false, has_settings = false, has_notes = false;
};

// Without the stage where no other column is called so: "accuracy".
std::string header_of(const std::string& metric, const std::vector<std::string>& metrics) {
    const auto is_same = [&](const std::string& other) { return short_name(other) == short_name(metric); };
    return std::ranges::count_if(metrics, is_same) == 1 ? std::string(short_name(metric)) : metric;
}

Table table_of(const std::vector<Json>& runs, const View& view) {
    Table table{.title = {}, .columns = {"run", "when"}, .rows = {}, .notes = {}};
    if (view.has_dags)
        table.columns.emplace_back("dag");
    else
        table.title = cell_text(runs.front().at("dag"));
    table.columns.insert(table.columns.end(), {"outcome", "time"});
    if (view.has_settings) table.columns.emplace_back("set");
    for (const std::string& metric : view.metrics) table.columns.push_back(header_of(metric, view.metrics));
    if (view.has_notes) table.columns.emplace_back("note");
    for (const Json& run : runs) {
        const Json& seconds = run.at("seconds");
        auto& row = table.rows.emplace_back(
            std::vector<std::string>{run.at("run").get<std::string>().substr(0, view.id_length), when_text(run, view.now)});
        if (view.has_dags) row.push_back(cell_text(run.at("dag")));
        row.push_back(cell_text(run.at("outcome")));
        row.push_back(seconds.is_number() ? duration_text(seconds.get<double>()) : "");
        if (view.has_settings) row.push_back(fitted(settings_text(run), kCellColumns));
        for (const std::string& metric : view.metrics) row.push_back(cell_text(value_in(run, metric)));
        if (view.has_notes) row.push_back(fitted(note_text(run), kCellColumns));
    }
    return table;
}

// The widest line of the table as it is, without wrapping.
int width_of(const Table& table) {
    int width = 0;
    const std::string text = table_text(table);
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        width = std::max(width, display_width(std::string_view(text).substr(at, end - at)));
        at = end + 1;
    }
    return width;
}

// As many of the metrics as fit beside each other into the terminal; those that were asked for are all shown.
Table fitting_table(const std::vector<Json>& runs, View view, bool all_metrics) {
    Table table = table_of(runs, view);
    std::vector<std::string> left_out;
    const auto columns = stdout_columns();
    while (columns && !all_metrics && view.metrics.size() > 1 && width_of(table) > *columns) {
        left_out.insert(left_out.begin(), view.metrics.back());
        view.metrics.pop_back();
        table = table_of(runs, view);
    }
    if (!left_out.empty()) table.notes.push_back(fmt::format("more metrics, by --metrics: {}", fmt::join(left_out, ", ")));
    return table;
}

void print_table(const std::vector<Json>& runs, const LogOptions& options, const std::vector<std::string>& ids,
                 std::size_t hidden) {
    View view{.metrics = columns_of(runs, options), .id_length = id_length(ids), .now = wall_time()};
    view.has_dags = options.markdown ||
                    std::ranges::any_of(runs, [&](const Json& run) { return run.at("dag") != runs.front().at("dag"); });
    view.has_settings = std::ranges::any_of(runs, [](const Json& run) { return !settings_text(run).empty(); });
    view.has_notes = std::ranges::any_of(runs, [](const Json& run) { return !note_text(run).empty(); });
    if (options.markdown) {
        fmt::print("{}", table_markdown(table_of(runs, view)));
        return;
    }
    Table table = fitting_table(runs, std::move(view), !options.metrics.empty());
    if (hidden > 0) table.notes.push_back(fmt::format("{} more: --all, or -n", hidden));
    fmt::print("{}", table_text(table, stdout_columns()));
}

// Where each run that died would resume, below the table.
void print_resumable(const std::vector<Json>& runs, OpenStore& store, std::size_t id_length) {
    for (const Json& run : runs) {
        if (run.at("outcome") != "interrupted") continue;
        for (const std::string& stage : resumable_stages(run, store))
            fmt::print("{}: {}\n", run.at("run").get<std::string>().substr(0, id_length), printable(stage));
    }
}

// All that there is of each run, a column each.
Table csv_table(const std::vector<Json>& runs, const LogOptions& options) {
    std::vector<std::string> names{"run",     "dag", "file",   "profile", "host", "version", "outcome",
                                   "seconds", "ran", "reused", "failed",  "note", "tags"};
    for (const std::string& name : names_in(runs))
        if (name.starts_with("params.") || (options.metrics.empty() && name.starts_with("metrics."))) names.push_back(name);
    for (const std::string& metric : options.metrics) check_name(metric, runs);
    names.insert(names.end(), options.metrics.begin(), options.metrics.end());
    Table table{.title = {}, .columns = names, .rows = {}, .notes = {}};
    for (const Json& run : runs) {
        auto& row = table.rows.emplace_back();
        for (const std::string& name : names) {
            const Json value = value_in(run, name);
            row.push_back(value.is_null() ? "" : plain_text(value));
        }
    }
    return table;
}

// Ids of runs begin with a digit; so may the name of a DAG, which comes first.
bool names_run(const std::string& what, const std::vector<std::string>& ids, OpenStore& open) {
    if (std::isdigit(static_cast<unsigned char>(what.front())) == 0) return false;
    const Index::Batch one_transaction(open.index());
    return std::ranges::none_of(
        ids, [&](const std::string& id) { return summary_of_run(open.folder(), id, open.files(), open.index()).at("dag") == what; });
}

// Runs that are named, with all that their records say.
void log_named_runs(const LogOptions& options, OpenStore& open) {
    if (options.markdown || !options.csv.empty() || !options.where.empty() || !options.sort.empty() || !options.add.empty())
        throw Error(ExitCode::Usage, fmt::format("'{}' is a run: only --json applies to it", printable(options.dags.front())),
                    "`satdl compare RUN RUN` has --csv and --md");
    Json runs = Json::array();
    for (const std::string& what : options.dags) runs.push_back(details_of_run(find_run(open.folder(), what, open.files()), open));
    if (options.json) {
        fmt::print("{}\n", dump_json({{"runs", runs}}));
        return;
    }
    for (const Json& run : runs) {
        if (&run != &runs.front()) fmt::print("\n");
        print_details(run, open);
    }
}

ExitCode log(const LogOptions& options) {
    if (options.json + options.markdown + !options.csv.empty() > 1)
        throw Error(ExitCode::Usage, "--json, --md and --csv cannot be combined", "choose one of them");
    check_named_store(options.store);
    OpenStore open(options.store.store, Access::ReadOnly);
    const std::vector<std::string> ids = recorded_runs(open.folder(), open.files());
    if (!options.dags.empty() && names_run(options.dags.front(), ids, open)) {
        log_named_runs(options, open);
        return ExitCode::Done;
    }
    std::optional<OutputFile> csv;
    if (!options.csv.empty())
        csv.emplace(options.csv, "the list of runs", "--csv", ProtectedFiles{.files = {}, .store = open.folder()});
    RunList list(open, ids, options);
    const std::vector<Json> runs = list.chosen();
    if (csv) {
        csv->write(table_csv(csv_table(runs, options)));
    } else if (options.json) {
        fmt::print("{}\n", dump_json({{"runs", runs}}));
    } else if (runs.empty()) {
        fmt::print("{}\n", ids.empty() ? "nothing has run in this store yet" : "no run is like this");
    } else {
        print_table(runs, options, ids, list.hidden());
        if (!options.markdown) print_resumable(runs, open, id_length(ids));
    }
    return ExitCode::Done;
}

}  // namespace

void add_log_command(Command& program) {
    program.add_command<LogOptions>(
        "log", "list runs, the newest first; or show all that is known of one",
        "Examples:\n"
        "  satdl log                                        the last 20 runs that ran something\n"
        "  satdl log 20261124T031731                        one run: command line, commit, machine, what its stages cost\n"
        "  satdl log full --metrics compare.p,compare.p0    of the DAG with this name, these numbers\n"
        "  satdl log --where 'compare.p0 > 0.9 and noise_factor < 0.5 and not outcome = failed'\n"
        "  satdl log --points --sort accuracy               each point of the sweeps, the best first\n"
        "  satdl log --all --csv runs.csv                   all runs, with all that is known of them\n"
        "  satdl log --points --add 'gain=p0 - p' --sort gain    a number that no run recorded\n"
        "--where compares metrics.NAME, params.NAME, run, dag, file, profile, host, version, outcome, seconds, ran, reused, "
        "failed, note and "
        "tags by = != < <= > >= and `contains`, or asks `is missing`; and, or, not and parentheses connect (docs/runs.md).",
        [](Command& command, LogOptions& options) {
            command.add_option("dags", options.dags, "names of DAGs (default: all), or a run: its id, or its first characters")
                .type_name("DAG|RUN");
            command.add_option("-w,--where", options.where, "only runs of which this is true").type_name("CONDITION");
            command
                .add_option("--sort", options.sort, "order by this metric, parameter or field, the best or greatest first")
                .type_name("NAME");
            command
                .add_option("--add", options.add,
                            "compute another metric of each run from those that it has: + - * / ( ) abs log sqrt min max; "
                            "may be repeated")
                .type_name("METRIC=EXPR");
            command.add_flag("--reverse", options.reverse, "in the opposite order");
            command.add_option("--metrics", options.metrics, "metrics to show; default: those of the last stages")
                .delimiter(',')
                .type_name("NAME,...");
            command.add_option("-n,--limit", options.limit, "how many at most")
                .in_range(std::uint64_t{1}, std::uint64_t{1'000'000})
                .show_default();
            command.add_flag("-a,--all", options.all, "all of them, also those in which nothing ran");
            command.add_flag("--points", options.points, "the points of sweeps as lines of their own");
            command.add_option("--csv", options.csv, "write all that is known of them as CSV; - is stdout")
                .type_name("FILE");
            command.add_flag("--md", options.markdown, "print a table in Markdown");
            command.add_flag("--json", options.json, "print the result as JSON (docs/json.md)");
            add_store_option(command, options.store.store);
        },
        log);
}

}  // namespace satdl
