#include "commands/sweep_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace satdl {

namespace {

[[noreturn]] void refuse(const std::string& message, const std::string& hint) {
    throw Error(ExitCode::Usage, message, hint);
}

// Stage of the single DAG -> its nodes in the merged one, of the stages that report metrics.
std::map<std::string, std::set<NodeId>> measured_stages(const Sweep& sweep) {
    std::map<std::string, std::set<NodeId>> stages;
    for (const SweepPoint& point : sweep.points) {
        for (std::size_t i = 0; i < point.nodes.size(); ++i) {
            const auto& outputs = sweep.dag.nodes[point.nodes[i]].stage->description.outputs;
            if (std::ranges::any_of(outputs, [](const auto& port) { return port.kind == PortKind::Metrics; }))
                stages[point.names[i]].insert(point.nodes[i]);
        }
    }
    return stages;
}

}  // namespace

void add_sweep_options(CLI::App& command, SweepOptions& options) {
    command
        .add_option("--sweep", options.axes,
                    "run once for each value: name=1,2 or name=range(0.1,0.6,0.1); may be repeated; "
                    "without a value: the section `sweep:` of the file")
        ->allow_extra_args(false)
        ->type_name("NAME=VALUES");
    command.add_flag("--sweep-section", options.section)->group("");  // what `--sweep` without a value becomes
    command
        .add_option("--repeat", options.repeat,
                    "a swept parameter whose values repeat one setting; default: those called seed, *.seed, *_seed; "
                    "`none`: none; may be repeated")
        ->allow_extra_args(false)
        ->type_name("NAME");
    command
        .add_option("--metric", options.metrics,
                    "a column of the sweep's table: stage.metric or metric; the table is sorted by the first; may be repeated")
        ->allow_extra_args(false)
        ->type_name("NAME");
    command.add_option("--best", options.best, "which way the first --metric is good; default: as usual for its name")
        ->check(CLI::IsMember({"max", "min"}))
        ->type_name("max|min");
    command
        .add_option("--paired", options.paired,
                    "two metrics whose difference B - A is told, point by point; default: p and p0; may be repeated")
        ->allow_extra_args(false)
        ->type_name("A,B");
    command.add_option("--csv", options.csv, "write the sweep's points there, too")->type_name("FILE");
    command
        .add_option("--max-parallel", options.max_parallel,
                    "points at the same time, at most; what several points share counts for none; default: as the cores admit")
        ->check(CLI::Range(1, 10'000))
        ->type_name("N");
    command.add_flag("--fail-fast", options.fail_fast, "the first stage that fails ends the sweep; default: the other points go on");
}

Sweep asked_sweep(const SweepOptions& options, const Session& session) {
    std::vector<SweepAxis> axes;
    for (const auto& text : options.axes) axes.push_back(parse_axis(text));
    for (const auto& given : options.given) axes.push_back(axis_of(given));
    SweepDesign design = product_of(std::move(axes));
    if (options.section) {
        const Value* section = session.source().document().find("sweep");
        if (section == nullptr) {
            refuse(fmt::format("{} has no section `sweep:`", session.source().file().string()),
                   "name what to sweep: --sweep noise_factor=0.1,0.2,0.4");
        }
        design = product_of(design_from_yaml(*section), design);
    }
    std::optional<std::vector<Value>> repeat = design.repeat;
    if (!options.repeat.empty()) {
        repeat.emplace();
        for (const std::string& name : options.repeat) repeat->push_back(Value::of_text(name));
    }
    mark_repetitions(design.axes, repeat);
    return session.sweep(design);
}

SweepQuestion question_of(const SweepOptions& options) {
    if (!options.sweeps()) {
        for (const auto& [given, name] : {std::pair{!options.metrics.empty(), "--metric"}, {!options.best.empty(), "--best"},
                                          {!options.paired.empty(), "--paired"}, {!options.csv.empty(), "--csv"},
                                          {!options.repeat.empty(), "--repeat"}, {options.fail_fast, "--fail-fast"},
                                          {options.max_parallel > 0, "--max-parallel"}})
            if (given) refuse(fmt::format("{} is about a sweep, and there is none", name), "say what to sweep with --sweep");
        return {};
    }
    SweepQuestion question;
    question.metrics = options.metrics;
    if (!options.best.empty()) {
        if (options.metrics.empty()) refuse("--best does not say of what", "name it: --metric compare.p0 --best max");
        question.best = options.best == "max" ? Best::Max : Best::Min;
    }
    for (const std::string& pair : options.paired) {
        const std::size_t comma = pair.find(',');
        const std::string a = pair.substr(0, comma);
        if (comma == std::string::npos || a.empty() || comma + 1 == pair.size() || pair.find(',', comma + 1) != std::string::npos)
            refuse(fmt::format("--paired takes two metrics, not '{}'", printable(pair)), "as in --paired compare.p,compare.p0");
        question.paired.emplace_back(a, pair.substr(comma + 1));
    }
    return question;
}

void check_metrics(const SweepQuestion& question, const Sweep& sweep, const Plan& plan,
                   const std::function<Metrics(const Digest&)>& metrics_of) {
    std::vector<std::string> wanted = question.metrics;
    for (const auto& [a, b] : question.paired) wanted.insert(wanted.end(), {a, b});
    if (wanted.empty()) return;
    const auto stages = measured_stages(sweep);
    std::vector<std::string> known;  // what is reported for sure
    bool all_known = true;
    std::set<std::string> fully_known;
    std::vector<std::string> names;
    for (const auto& [stage, nodes] : stages) {
        names.push_back(stage);
        const auto reused = std::ranges::find_if(nodes, [&](NodeId node) {
            const PlannedNode* planned = plan.find(node);
            return planned != nullptr && planned->action == Action::Reuse;
        });
        if (reused == nodes.end()) {
            all_known = false;
            continue;
        }
        fully_known.insert(stage);
        for (const auto& [port, values] : metrics_of(*plan.find(*reused)->key)) {
            for (const auto& [name, value] : values) known.push_back(fmt::format("{}.{}", stage, name));
        }
    }
    for (const std::string& name : wanted) {
        const std::size_t dot = name.find('.');
        const bool is_known = std::ranges::any_of(known, [&](const std::string& one) {
            return one == name || one.ends_with("." + name) ||
                   (dot != std::string::npos && one.starts_with(name.substr(0, dot + 1)) && one.ends_with(name.substr(name.rfind('.'))));
        });
        if (is_known) continue;
        if (dot != std::string::npos && !stages.contains(name.substr(0, dot))) {
            refuse(fmt::format("no stage '{}' reports metrics, so there is no '{}'", printable(name.substr(0, dot)), printable(name)),
                   did_you_mean(name.substr(0, dot), names));
        }
        if (all_known || (dot != std::string::npos && fully_known.contains(name.substr(0, dot)))) {
            std::vector<std::string> candidates = known;
            if (dot == std::string::npos) {
                for (std::string& one : candidates) one = one.substr(one.find('.') + 1);
            }
            refuse(fmt::format("no stage reports a metric '{}'", printable(name)), did_you_mean(name, candidates));
        }
    }
}

}  // namespace satdl
