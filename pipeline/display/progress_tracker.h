// The progress of the running stages: rates, time left, and the line that shows them. It has no clock and draws nothing:
// every call gets the time as an argument.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/plan/plan.h"

namespace satdl {

// A stage that runs, or would if another process did not compute the same.
struct RunningStage {
    std::string name;
    std::string waits_for{};  // that process; "": it runs
    double started = 0;
    std::optional<double> expected_seconds;  // from the history
    Progress latest;
    // The first reported step includes the warm-up, so rates are measured from its end, as in Keras.
    std::int64_t first_steps = 0;
    double first_at = 0;
    double latest_at = 0;
    std::int64_t epochs_ended = 0;
    std::map<std::string, std::vector<double>> losses;  // train/loss and val/loss, one value per finished epoch

    [[nodiscard]] std::int64_t steps_done() const;   // over all epochs
    [[nodiscard]] std::int64_t steps_total() const;  // 0: unknown
    [[nodiscard]] std::optional<double> seconds_a_step() const;
    [[nodiscard]] std::optional<double> seconds_left(double now) const;
};

struct TimeLeft {
    double seconds = 0;
    bool at_least = false;  // some stages have no history
};

class RunTracker {
public:
    // `cores`: of the machine; stages that share them cannot be faster than the cores are.
    explicit RunTracker(int cores) : cores_(cores) {}

    void run_started(const Dag& dag, const Plan& plan);
    void stage_queued(NodeId node, const std::string& reason);
    void stage_started(const Dag& dag, const PlannedNode& planned, double now);
    void stage_waiting(const Dag& dag, const PlannedNode& planned, const std::string& holder, double now);
    void stage_progress(NodeId node, const Progress& progress, double now);
    void stage_finished(NodeId node);

    [[nodiscard]] const std::map<NodeId, RunningStage>& running() const { return running_; }  // or waiting
    // Stages whose jobs wait for a machine, and why; not among the running.
    [[nodiscard]] const std::map<NodeId, std::string>& queued() const { return queued_; }
    [[nodiscard]] std::size_t done() const { return done_; }
    [[nodiscard]] std::size_t total() const { return total_; }
    // The maximum of the longest remaining path, and the remaining work divided by the cores.
    [[nodiscard]] TimeLeft time_left(double now) const;

private:
    struct Node {
        double seconds = 0;  // expected; 0 once done
        int threads = 1;  // of this machine
        bool open = false;     // still runs or may run
        bool unknown = false;  // open, without history
        std::vector<NodeId> consumers;
    };

    const int cores_;
    std::vector<Node> nodes_;  // by NodeId
    std::map<NodeId, RunningStage> running_;
    std::map<NodeId, std::string> queued_;
    std::size_t done_ = 0, total_ = 0;
};

// "m1  epoch 3/20 ━━━━━━━━━━━━━━━━━━━━ 312/469 21ms/step 1:05 left - accuracy: 0.9712 - loss: 0.0931". If that is wider than `width`,
// "loss 0.0931 acc 0.971" stands for the metrics, then the bar is shorter, then the rate and the steps are left out.
[[nodiscard]] std::string bar_line(const RunningStage& stage, double now, int name_width, int width, bool colour);
// "m1: epoch 3/20, step 312/469, 1:05 left - loss: 0.0931"
[[nodiscard]] std::string plain_line(const RunningStage& stage, double now);
// "3 stages are queued: Resources (2), Priority (1)"; "" if none is
[[nodiscard]] std::string queued_text(const std::map<NodeId, std::string>& queued);
// " - train/accuracy: 0.9712 - train/loss: 0.0931 █▅▃▂▁": a finished stage's metrics, its losses over the epochs if all of
// them are known (a resumed training reports only its own epochs); " - kept epoch 16 - ..." if it last reported an earlier epoch (step 0)
[[nodiscard]] std::string finished_metrics_text(const RunningStage& stage);
// " - accuracy: 0.9712 - loss: 0.0931", sorted by name
[[nodiscard]] std::string metrics_text(const std::vector<std::pair<std::string, double>>& metrics);

}  // namespace satdl
