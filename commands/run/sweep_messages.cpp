#include "commands/run/sweep_messages.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "commands/shared/run_display.h"
#include "pipeline/core/json.h"
#include "pipeline/display/progress_display.h"
#include "pipeline/display/sweep_output.h"
#include "pipeline/display/text_format.h"

namespace satdl {

namespace {

std::string plural(std::size_t count, std::string_view what) {
    return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

std::string approximately(double seconds) {
    if (seconds < 90) return fmt::format("{:.{}f} s", seconds, seconds < 10 ? 1 : 0);
    return seconds < 90 * 60 ? fmt::format("{:.0f} min", seconds / 60) : fmt::format("{:.1f} h", seconds / 3600);
}

void refuse_unknown(const SweepSummary& report, const RunResult& result) {
    const bool complete = std::ranges::all_of(result.nodes, succeeded, &NodeResult::state);
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

std::string sweep_line(const Workload& load) {
    std::string text = fmt::format("{}: {}", plural(load.points, "point"), plural(load.stages, "stage"));
    if (load.shared > 0) text += fmt::format(", {} shared by all", load.shared);
    text += fmt::format(", {} reused, {} to run", load.reused, load.to_run);
    if (load.may_run > 0) text += fmt::format(", {} that may run", load.may_run);
    if (load.expected_seconds) {
        text += fmt::format(", about {} on {}", approximately(*load.expected_seconds), plural(static_cast<std::size_t>(load.cores), "core"));
        if (load.points_at_a_time > 0) text += fmt::format(", {} at a time", plural(load.points_at_a_time, "point"));
        text += " (estimated from earlier runs)";
    }
    return text;
}

Metrics metrics_in(Store& store, const Digest& key) {
    const auto header = store.header(key);
    return header ? header->metrics : Metrics{};
}

void report_sweep(OutputFile* csv, bool silent, const Sweep& sweep, const SweepQuery& query, const RunResult& result, Store& store,
                  Observer& observer) {
    std::map<NodeId, SweepOutcome> outcomes;
    for (const NodeResult& node : result.nodes)
        outcomes[node.node] = {succeeded(node.state) ? node.key : std::nullopt,
                               node.state == NodeState::Failed ? std::optional(node.error) : std::nullopt};
    const auto metrics_of = [&](NodeId node) {
        const auto outcome = outcomes.find(node);
        return outcome != outcomes.end() && outcome->second.key ? metrics_in(store, *outcome->second.key) : Metrics{};
    };
    const SweepSummary summary = summarise_sweep(sweep, outcomes, metrics_of, query);
    observer.sweep_finished(sweep, summary, result);
    if (!silent) print_text(fmt::format("\n{}", table_text(to_table(summary), stdout_columns(), label_columns(summary))));
    if (csv != nullptr) csv->write(to_csv(summary));
    std::fflush(stdout);
    refuse_unknown(summary, result);
}

}  // namespace satdl
