#include "pipeline/display/progress_tracker.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "pipeline/core/metric_text.h"
#include "pipeline/display/sparkline.h"
#include "pipeline/display/text_format.h"

namespace satdl {

namespace {

constexpr int kBarCells = 20;
constexpr int kShortestBar = 5;
constexpr int kSparklineCells = 20;

std::string step_rate(double seconds) {
    if (seconds >= 1) return fmt::format("{:.0f}s/step", seconds);
    if (seconds >= 1e-3) return fmt::format("{:.0f}ms/step", seconds * 1e3);
    return fmt::format("{:.0f}us/step", seconds * 1e6);
}

// Heavy cells for the done part, light ones for the rest: they also differ without colour.
std::string bar(double share, int length, bool colour) {
    const int cells = std::clamp(static_cast<int>(std::floor(share * length)), 0, length);
    std::string text = colour ? "\x1b[32m" : "";
    for (int i = 0; i < cells; ++i) text += "━";
    if (colour) text += "\x1b[90m";
    for (int i = cells; i < length; ++i) text += "─";
    if (colour) text += "\x1b[0m";
    return text;
}

std::string epoch_text(const Progress& at) {
    const std::string total = std::to_string(at.epochs);
    return fmt::format("epoch {:>{}}/{}", at.epoch, total.size(), total);
}

// `after`: what follows a metric's value, by its name.
template <typename After>
std::string metrics_text(std::vector<std::pair<std::string, double>> metrics, const After& after) {
    std::sort(metrics.begin(), metrics.end());
    std::string text;
    for (const auto& [name, value] : metrics) text += fmt::format(" - {}: {}{}", printable(name), metric_text(value), after(name));
    return text;
}

// "loss 0.0931 acc 0.971": what people watch, for lines that are too narrow for all; else the first metric.
std::string short_metrics_text(const std::vector<std::pair<std::string, double>>& metrics) {
    std::string text;
    for (const auto& [ending, shown] : {std::pair<std::string_view, std::string_view>{"loss", "loss"}, {"accuracy", "acc"}}) {
        const auto is_it = [&](const auto& metric) { return metric.first == ending || metric.first == fmt::format("train/{}", ending); };
        if (const auto found = std::ranges::find_if(metrics, is_it); found != metrics.end())
            text += fmt::format(" {} {:.3g}", shown, found->second);
    }
    if (text.empty() && !metrics.empty()) text = fmt::format(" {} {:.3g}", printable(metrics.front().first), metrics.front().second);
    return text;
}

std::string left_text(const RunningStage& stage, double now) {
    const auto left = stage.seconds_left(now);
    return left ? fmt::format(" {} left", clock_text(*left)) : std::string();
}

}  // namespace

std::int64_t RunningStage::steps_done() const {
    const std::int64_t epochs_before = std::max<std::int64_t>(0, latest.epoch - 1);
    return epochs_before * latest.steps + (latest.epoch_ended ? latest.steps : latest.step);
}

std::int64_t RunningStage::steps_total() const {
    return latest.steps * std::max<std::int64_t>(1, latest.epochs);
}

std::optional<double> RunningStage::seconds_a_step() const {
    const std::int64_t counted = steps_done() - first_steps;
    if (counted <= 0) return std::nullopt;
    return (latest_at - first_at) / static_cast<double>(counted);
}

std::optional<double> RunningStage::seconds_left(double now) const {
    if (const auto rate = seconds_a_step(); rate && steps_total() > 0) {
        const double at_latest = *rate * static_cast<double>(std::max<std::int64_t>(0, steps_total() - steps_done()));
        return std::max(0.0, at_latest - (now - latest_at));
    }
    if (expected_seconds) return std::max(0.0, *expected_seconds - (now - started));
    return std::nullopt;
}

void RunTracker::run_started(const Dag& dag, const Plan& plan) {
    nodes_.assign(dag.nodes.size(), Node{});
    const auto consumers = dag.consumers();
    for (const auto& planned : plan.nodes) {
        if (!may_run(planned.action)) continue;
        Node& node = nodes_[planned.node];
        const int threads = dag.nodes[planned.node].job ? 0 : planned.threads;
        node = {planned.expected_seconds.value_or(0), threads, true, !planned.expected_seconds,
                consumers[planned.node]};
        ++total_;
    }
}

void RunTracker::stage_queued(NodeId node, const std::string& reason) {
    running_.erase(node);  // its next job
    queued_[node] = printable(reason);
}

void RunTracker::stage_started(const Dag& dag, const PlannedNode& planned, double now) {
    RunningStage stage;
    stage.name = printable(dag.nodes[planned.node].name);
    stage.started = stage.first_at = stage.latest_at = now;
    stage.expected_seconds = planned.expected_seconds;
    queued_.erase(planned.node);
    running_[planned.node] = std::move(stage);
}

void RunTracker::stage_waiting(const Dag& dag, const PlannedNode& planned, const std::string& holder, double now) {
    stage_started(dag, planned, now);
    running_[planned.node].waits_for = printable(holder);
}

void RunTracker::stage_progress(NodeId node, const Progress& progress, double now) {
    const auto found = running_.find(node);
    if (found == running_.end()) return;
    RunningStage& stage = found->second;
    stage.latest = progress;
    stage.latest_at = now;
    if (stage.first_steps == 0) {
        stage.first_steps = stage.steps_done();
        stage.first_at = now;
    }
    if (!progress.epoch_ended) return;
    stage.epochs_ended = progress.epoch;
    for (const auto& [name, value] : progress.metrics) {
        if (name == "train/loss" || name == "val/loss") stage.losses[name].push_back(value);
    }
}

void RunTracker::stage_finished(NodeId node) {
    running_.erase(node);
    queued_.erase(node);
    if (node >= nodes_.size() || !nodes_[node].open) return;
    nodes_[node].open = nodes_[node].unknown = false;
    nodes_[node].seconds = 0;
    ++done_;
}

TimeLeft RunTracker::time_left(double now) const {
    TimeLeft left;
    std::vector<double> path(nodes_.size(), 0);  // from a node's start (or now) to the run's end
    double core_seconds = 0;
    for (NodeId id = nodes_.size(); id-- > 0;) {  // consumers come after their producers
        const Node& node = nodes_[id];
        if (!node.open) continue;
        double own = node.seconds;
        bool unknown = node.unknown;
        if (const auto found = running_.find(id); found != running_.end()) {
            const auto seconds = found->second.seconds_left(now);
            own = seconds.value_or(0);
            unknown = !seconds;
        }
        left.at_least = left.at_least || unknown;
        core_seconds += own * std::min(node.threads, cores_);
        for (const NodeId consumer : node.consumers) path[id] = std::max(path[id], path[consumer]);
        path[id] += own;
        left.seconds = std::max(left.seconds, path[id]);
    }
    left.seconds = std::max(left.seconds, core_seconds / cores_);
    return left;
}

std::string queued_text(const std::map<NodeId, std::string>& queued) {
    if (queued.empty()) return {};
    std::map<std::string, std::size_t> reasons;
    for (const auto& [node, reason] : queued) ++reasons[reason];
    std::string text = queued.size() == 1 ? "1 stage is queued" : fmt::format("{} stages are queued", queued.size());
    std::string_view before = ": ";
    for (const auto& [reason, count] : reasons) {
        if (reason.empty()) continue;
        text += fmt::format("{}{}{}", std::exchange(before, ", "), reason, reasons.size() > 1 ? fmt::format(" ({})", count) : "");
    }
    return text;
}

std::string finished_metrics_text(const RunningStage& stage) {
    const bool is_kept = stage.latest.epoch > 0 && stage.latest.step == 0 && !stage.latest.epoch_ended;
    const std::string kept = is_kept ? fmt::format(" - kept epoch {}", stage.latest.epoch) : "";
    return kept + metrics_text(stage.latest.metrics, [&](const std::string& name) {
        const auto losses = stage.losses.find(name);
        if (losses == stage.losses.end() || losses->second.size() < 2) return std::string();
        if (std::ssize(losses->second) != stage.epochs_ended) return std::string();
        return ' ' + sparkline(losses->second, kSparklineCells);
    });
}

std::string metrics_text(const std::vector<std::pair<std::string, double>>& metrics) {
    return metrics_text(metrics, [](const std::string&) { return std::string(); });
}

std::string bar_line(const RunningStage& stage, double now, int name_width, int width, bool colour) {
    const Progress& at = stage.latest;
    std::string before = padded(fitted(stage.name, name_width), name_width) + "  ";
    if (!stage.waits_for.empty())
        return fitted(fmt::format("{}{} waiting for {}", before, clock_text(now - stage.started), stage.waits_for), width);
    std::string steps, rate, after;
    std::optional<double> share;
    if (at.steps > 0 || at.epochs > 0) {
        if (at.epochs > 0) before += epoch_text(at) + ' ';
        const std::int64_t step = at.epoch_ended ? at.steps : at.step;
        share = at.steps > 0 ? static_cast<double>(step) / static_cast<double>(at.steps)
                             : static_cast<double>(at.epoch) / static_cast<double>(at.epochs);
        if (at.steps > 0) steps = fmt::format(" {:>{}}/{}", step, std::to_string(at.steps).size(), at.steps);
        if (const auto seconds = stage.seconds_a_step()) rate = fmt::format(" {}", step_rate(*seconds));
    } else {
        if (stage.expected_seconds && *stage.expected_seconds > 0) share = (now - stage.started) / *stage.expected_seconds;
        after += fmt::format("{}{}", share ? " " : "", clock_text(now - stage.started));
    }
    after += left_text(stage, now);
    if (!share) return fitted(before + after + metrics_text(at.metrics), width);
    const int room = width - display_width(before);
    const std::string numbers = short_metrics_text(at.metrics);
    const auto fits = [&](const std::string& text, int cells) { return display_width(text) + cells <= room; };
    const auto line = [&](const std::string& text, int cells) { return before + bar(std::min(1.0, *share), cells, colour) + text; };
    if (const std::string all = steps + rate + after + metrics_text(at.metrics); fits(all, kBarCells)) return line(all, kBarCells);
    for (const std::string& text : {steps + rate + after + numbers, steps + after + numbers, after + numbers})
        if (fits(text, kShortestBar)) return line(text, std::min(kBarCells, room - display_width(text)));
    return fitted(before + numbers, width);  // too narrow for a bar
}

std::string plain_line(const RunningStage& stage, double now) {
    const Progress& at = stage.latest;
    if (!stage.waits_for.empty())
        return fmt::format("{}: waiting for {}, {}", stage.name, stage.waits_for, clock_text(now - stage.started));
    std::string text = stage.name + ":";
    if (at.epochs > 0) text += fmt::format(" epoch {}/{}", at.epoch, at.epochs);
    if (at.steps > 0 && !at.epoch_ended) text += fmt::format("{} step {}/{}", at.epochs > 0 ? "," : "", at.step, at.steps);
    if (at.epochs == 0 && at.steps == 0) text += " running";
    text += fmt::format(", {}", clock_text(now - stage.started));
    if (const std::string left = left_text(stage, now); !left.empty()) text += fmt::format(",{}", left);
    return text + metrics_text(at.metrics);
}

}  // namespace satdl
