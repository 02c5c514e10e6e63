#include "commands/run/sweep_messages.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "pipeline/display/sweep_output.h"
#include "pipeline/display/text_format.h"
#include "pipeline/records/json_events.h"
#include "pipeline/run/forecast.h"

namespace satdl {

namespace {

std::string plural(std::size_t count, std::string_view what) {
    return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

std::string approximately(double seconds) {
    if (seconds < 90) return fmt::format("{:.{}f} s", seconds, seconds < 10 ? 1 : 0);
    return seconds < 90 * 60 ? fmt::format("{:.0f} min", seconds / 60) : fmt::format("{:.1f} h", seconds / 3600);
}

// An event with the fields of a document.
std::string event_line(std::string_view name, const Json& fields) {
    Json event = {{"event", name}, {"wall_time", wall_time()}};
    event.update(fields);
    return dump_json(event);
}

void write_csv(const std::string& path, const std::string& csv) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file << csv;
    file.close();
    if (!file) throw Error(ExitCode::Usage, fmt::format("cannot write {}", path));
}

void refuse_unknown(const SweepSummary& report, const RunResult& result) {
    const bool complete = std::ranges::all_of(result.nodes, [](const NodeResult& node) {
        return node.state == NodeState::Ran || node.state == NodeState::Reused;
    });
    if (report.unknown.empty() || !complete) return;
    std::string message, hint;
    for (const std::string& name : report.unknown) {
        message += fmt::format("{}no stage of this sweep reports a metric '{}'", message.empty() ? "" : "\n", printable(name));
        std::vector<std::string> candidates = report.reported;
        if (name.find('.') == std::string::npos) {
            for (std::string& one : candidates) one = one.substr(one.rfind('.') + 1);
        }
        if (hint.empty()) hint = did_you_mean(name, candidates);
    }
    throw Error(ExitCode::Usage, message, hint);
}

}  // namespace

Workload workload_of(const Sweep& sweep, const Plan& plan, const Limits& limits, int cores) {
    std::vector<std::size_t> points_with(sweep.dag.nodes.size(), 0);
    for (const SweepPoint& point : sweep.points) {
        for (const NodeId node : point.nodes) ++points_with[node];
    }
    Workload load;
    load.points = sweep.points.size();
    load.points_at_a_time = limits.cohorts;
    load.cores = std::max(1, cores);
    for (const PlannedNode& planned : plan.nodes) {
        ++load.stages;
        load.shared += load.points > 1 && points_with[planned.node] == load.points;
        load.reused += planned.action == Action::Reuse;
        load.to_run += may_run(planned.action) && planned.action != Action::Unknown;
        load.may_run += planned.action == Action::Unknown;
    }
    if (load.to_run + load.may_run > 0)
        load.expected_seconds = forecast_seconds(sweep.dag, plan, limits, load.cores, only_points(sweep));
    return load;
}

std::string sweep_line(const Workload& load) {
    std::string text = fmt::format("{}: {}", plural(load.points, "point"), plural(load.stages, "stage"));
    if (load.shared > 0) text += fmt::format(", {} shared by all", load.shared);
    text += fmt::format(", {} reused, {} to run", load.reused, load.to_run);
    if (load.may_run > 0) text += fmt::format(", {} that may have to", load.may_run);
    if (load.expected_seconds) {
        text += fmt::format(", about {} on {}", approximately(*load.expected_seconds), plural(static_cast<std::size_t>(load.cores), "core"));
        if (load.points_at_a_time > 0) text += fmt::format(", {} at a time", plural(load.points_at_a_time, "point"));
        text += " (from earlier runs)";
    }
    return text;
}

void SweepStart::run_started(const Dag& dag, const Plan& plan) {
    next_.run_started(dag, plan);
    Json fields = {{"run", run_},
                   {"dag", dag.name},
                   {"stages", load_.stages},
                   {"shared", load_.shared},
                   {"reused", load_.reused},
                   {"to_run", load_.to_run},
                   {"may_run", load_.may_run},
                   {"cores", load_.cores},
                   {"expected_seconds", load_.expected_seconds ? Json(*load_.expected_seconds) : Json(nullptr)}};
    fields.update(Json::parse(sweep_started_json(sweep_)));
    next_.sweep_event(dag, event_line("sweep_started", fields));
}

Metrics metrics_in(Store& store, const Digest& key) {
    const auto header = store.header(key);
    return header ? header->metrics : Metrics{};
}

void tell_sweep(const SweepOptions& options, bool silent, const Sweep& sweep, const SweepQuestion& question,
                const RunResult& result, Store& store, Observer& observer, const std::string& run) {
    std::vector<std::optional<NodeStatus>> outcomes(sweep.dag.nodes.size());
    for (const NodeResult& node : result.nodes) {
        const bool failed = node.state == NodeState::Failed;
        outcomes[node.node] = NodeStatus{node.state, node.key, failed ? node.error : ""};
    }
    const auto metrics_of = [&](NodeId node) -> Metrics {
        const auto& outcome = outcomes[node];
        const bool is_there = outcome && outcome->key && (outcome->state == NodeState::Ran || outcome->state == NodeState::Reused);
        return is_there ? metrics_in(store, *outcome->key) : Metrics{};
    };
    const SweepSummary report = summarise_sweep(sweep, metrics_of, outcomes, question);
    Json fields = {{"run", run}, {"dag", sweep.dag.name}};
    fields.update(Json::parse(to_json(report, sweep, outcomes)));
    observer.sweep_event(sweep.dag, event_line("sweep", fields));
    if (!silent) fmt::print("\n{}", table_text(to_table(report)));
    if (!options.csv.empty()) write_csv(options.csv, to_csv(report));
    std::fflush(stdout);
    refuse_unknown(report, result);
}

}  // namespace satdl
