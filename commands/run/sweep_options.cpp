#include "commands/run/sweep_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace satdl {

namespace {

[[noreturn]] void refuse(const std::string& message, const std::string& hint) {
    throw Error(ExitCode::Usage, message, hint);
}

// The metrics of the stages that run or are reused, by the stage's name in the single DAG.
struct Reported {
    std::vector<std::string> columns;  // names as in summarise_sweep()
    bool may_be_more = false;          // known only when the stage runs
};

// The metrics that a node will report, by port; nullopt if they are known only when it runs.
std::optional<Metrics> planned_metrics(const Node& node, const PlannedNode& planned, const NodeTypes& types,
                                       const std::function<Metrics(const Digest&)>& metrics_of) {
    if (planned.action == Action::Reuse) return metrics_of(*planned.key);
    Metrics metrics;
    for (const PortDescription& port : node.stage->description.outputs) {
        if (port.kind != PortKind::Metrics) continue;
        const PortType* type = types.find(port.name);
        if (port.optional || type == nullptr || !type->metrics) return std::nullopt;
        for (const std::string& name : *type->metrics) metrics[port.name].emplace(name, 0);
    }
    return metrics;
}

std::map<std::string, Reported> reported_metrics(const Sweep& sweep, const Plan& plan,
                                                 const std::function<Metrics(const Digest&)>& metrics_of) {
    std::map<std::string, Reported> stages;
    std::set<NodeId> seen;
    for (const SweepPoint& point : sweep.points) {
        for (std::size_t i = 0; i < point.nodes.size(); ++i) {
            const Node& node = sweep.dag.nodes[point.nodes[i]];
            const PlannedNode* planned = plan.find(point.nodes[i]);
            if (planned == nullptr || !has_metrics(node)) continue;
            if (!seen.insert(point.nodes[i]).second) continue;
            Reported& stage = stages[point.names[i]];
            const auto metrics = planned_metrics(node, *planned, sweep.dag.types[point.nodes[i]], metrics_of);
            if (!metrics) stage.may_be_more = true;
            else for (const std::string& column : metric_columns(point.names[i], *metrics))
                if (std::ranges::find(stage.columns, column) == stage.columns.end()) stage.columns.push_back(column);
        }
    }
    return stages;
}

// Every name, however many there are: what can be asked for is known nowhere else.
std::string known_metrics(const std::string& name, const std::vector<std::string>& known) {
    if (nearest(name, known)) return did_you_mean(name, known);
    const std::set<std::string> sorted(known.begin(), known.end());
    return sorted.empty() ? "" : fmt::format("known: {}", fmt::join(sorted, ", "));
}

// Throws if no stage can report the metric `name`.
void check_metric(const std::string& name, const std::map<std::string, Reported>& stages, const Dag& dag) {
    std::vector<std::string> names, columns, short_names;
    bool may_be_more = false;
    for (const auto& [stage, reported] : stages) {
        names.push_back(stage);
        for (const std::string& column : reported.columns) {
            if (is_name_of_column(name, column)) return;
            columns.push_back(column);
            short_names.push_back(column.substr(column.rfind('.') + 1));
        }
        if (name.starts_with(stage + ".")) {
            if (reported.may_be_more) return;
            refuse(fmt::format("{} reports no metric '{}'", printable(stage), printable(name.substr(stage.size() + 1))),
                   known_metrics(name, reported.columns));
        }
        may_be_more = may_be_more || reported.may_be_more;
    }
    const std::string stage = name.substr(0, name.rfind('.'));
    if (stage.size() < name.size()) {
        const bool is_there = dag.find(stage) != nullptr || dag.groups.contains(stage);
        refuse(fmt::format("no stage '{}' {}reports metrics, so there is no metric '{}'", printable(stage), is_there ? "of this run " : "",
                           printable(name)),
               did_you_mean(stage, names));
    }
    if (!may_be_more) refuse(fmt::format("no stage reports a metric '{}'", printable(name)), known_metrics(name, short_names));
}

}  // namespace

void add_sweep_options(Command& command, SweepOptions& options) {
    command
        .add_option("--sweep", options.axes,
                    "run once per value: name=1,2 or name=range(0.1,0.6,0.1); may be repeated; "
                    "without a value: use the section `sweep:` of the DAG file")
        .type_name("NAME=VALUES");
    command.add_flag("--sweep-section", options.section, "").hidden();  // `--sweep` without a value, see arguments_of()
    command
        .add_option("--repeat", options.repeat,
                    "a swept parameter whose values count as repetitions of one setting; default: seed, *.seed, *_seed, and every "
                    "parameter that stages use only as their seed; `none` for none; may be repeated")
        .type_name("NAME");
    command
        .add_option("--metric", options.metrics,
                    "show this metric in the sweep's table: stage.metric or metric; the first one sorts the table; may be repeated")
        .type_name("NAME");
    command.add_option("--best", options.best, "whether the first --metric is maximised or minimised; default: by its name")
        .one_of({"max", "min"})
        .type_name("max|min");
    command
        .add_option("--paired", options.paired,
                    "report the difference B - A of two metrics, point by point; default: the metrics that a stage compares, as compare "
                    "does p and p0; may be repeated")
        .type_name("A,B");
    command.add_option("--csv", options.csv, "also write the sweep's points to this file; - is stdout, instead of progress and summary")
        .type_name("FILE");
    command
        .add_option("--max-parallel", options.max_parallel,
                    "maximum number of concurrent points; stages that several points share are not counted; default: limited by the cores")
        .in_range(std::size_t{1}, kMaxPoints)
        .type_name("N");
    command.add_flag("--fail-fast", options.fail_fast, "stop the sweep when a stage fails; default: run the other points");
}

SweepDesign requested_design(const SweepOptions& options, const Session& session) {
    if (options.like) return *options.like;
    std::vector<SweepAxis> axes;
    for (const auto& text : options.axes) axes.push_back(parse_axis(text));
    for (const auto& one : options.overrides) axes.push_back(axis_of(one));
    SweepDesign design = product_of(std::move(axes));
    if (options.section) {
        const ConfigValue* section = session.source().document().find("sweep");
        if (section == nullptr) {
            refuse(fmt::format("{} has no section `sweep:`", printable(session.source().file().string())),
                   "say what to sweep: --sweep noise_factor=0.1,0.2,0.4");
        }
        design = product_of(design_from_yaml(*section), design);
    }
    return design;
}

Sweep requested_sweep(const SweepOptions& options, const Session& session) {
    SweepDesign design = requested_design(options, session);
    std::optional<std::vector<ConfigValue>> repeat = design.repeat;
    if (!options.repeat.empty()) {
        repeat.emplace();
        for (const std::string& name : options.repeat) repeat->push_back(ConfigValue::of_text(name));
    }
    if (repeat || !options.like) mark_repetitions(design.axes, repeat);  // those of an earlier sweep are marked
    Sweep sweep = session.sweep(design);
    if (!repeat && !options.like) mark_seeds(sweep);
    return sweep;
}

SweepQuery query_of(const SweepOptions& options) {
    if (!options.sweeps()) {
        for (const auto& [given, name] : {std::pair{!options.metrics.empty(), "--metric"}, {!options.best.empty(), "--best"},
                                          {!options.paired.empty(), "--paired"}, {!options.csv.empty(), "--csv"},
                                          {!options.repeat.empty(), "--repeat"}, {options.fail_fast, "--fail-fast"},
                                          {options.max_parallel > 0, "--max-parallel"}})
            if (given) refuse(fmt::format("{} needs a sweep", name), "add --sweep NAME=VALUES");
        return {};
    }
    SweepQuery query;
    query.metrics = options.metrics;
    if (!options.best.empty()) {
        if (options.metrics.empty()) refuse("--best needs a --metric", "for example: --metric compare.p0 --best max");
        query.best = options.best == "max" ? Best::Max : Best::Min;
    }
    for (const std::string& pair : options.paired) {
        const std::size_t comma = pair.find(',');
        const std::string a = pair.substr(0, comma);
        if (comma == std::string::npos || a.empty() || comma + 1 == pair.size() || pair.find(',', comma + 1) != std::string::npos)
            refuse(fmt::format("--paired takes two metrics, not '{}'", printable(pair)), "for example: --paired compare.p,compare.p0");
        query.paired.emplace_back(a, pair.substr(comma + 1));
    }
    return query;
}

void check_metrics(const SweepQuery& query, const Sweep& sweep, const Plan& plan,
                   const std::function<Metrics(const Digest&)>& metrics_of) {
    std::vector<std::string> wanted = query.metrics;
    for (const auto& [a, b] : query.paired) wanted.insert(wanted.end(), {a, b});
    if (wanted.empty()) return;
    const auto stages = reported_metrics(sweep, plan, metrics_of);
    for (const std::string& name : wanted) check_metric(name, stages, sweep.dag);
}

}  // namespace satdl
