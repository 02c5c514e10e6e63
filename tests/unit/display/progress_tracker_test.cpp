#include "pipeline/display/progress_tracker.h"

#include <catch2/catch.hpp>

using namespace satdl;

namespace {

// a -> b -> c and d beside them, with what the history expects of each.
struct Run {
    Dag dag;
    Plan plan;
    RunTracker tracker;

    Run(int cores, const std::vector<std::optional<double>>& expected, int threads = 1) : tracker(cores) {
        for (NodeId id = 0; id < expected.size(); ++id) {
            Node node;
            node.name = std::string(1, static_cast<char>('a' + id));
            if (id == 1 || id == 2) node.inputs = {{"x", id - 1, "out", {}}};
            dag.nodes.push_back(node);
            PlannedNode planned;
            planned.node = id;
            planned.threads = threads;
            planned.expected_seconds = expected[id];
            plan.nodes.push_back(planned);
        }
        tracker.run_started(dag, plan);
    }
    [[nodiscard]] const PlannedNode& planned(NodeId id) const { return plan.nodes[id]; }
};

Progress step(std::int64_t epoch, std::int64_t step, bool ended = false) {
    return {epoch, 2, step, 10, ended, {}};
}

}  // namespace

TEST_CASE("The time left of a run is its longest path if there are enough cores") {
    const Run run(8, {10, 20, 30, 45});
    CHECK(run.tracker.time_left(0).seconds == Approx(60));
    CHECK_FALSE(run.tracker.time_left(0).at_least);
}

TEST_CASE("The time left of a run is all of its work if there is one core") {
    CHECK(Run(1, {10, 20, 30, 45}).tracker.time_left(0).seconds == Approx(105));
    CHECK(Run(2, {10, 20, 30, 45}, 16).tracker.time_left(0).seconds == Approx(105));  // each takes every core
}

TEST_CASE("The time left is a lower bound until every stage without a history has finished") {
    Run run(8, {10, std::nullopt, 30});
    CHECK(run.tracker.time_left(0).seconds == Approx(40));
    CHECK(run.tracker.time_left(0).at_least);
    run.tracker.stage_started(run.dag, run.planned(1), 0);
    run.tracker.stage_finished(1);
    CHECK_FALSE(run.tracker.time_left(0).at_least);
    CHECK(run.tracker.done() == 1);
    CHECK(run.tracker.total() == 3);
}

TEST_CASE("Rates count from the end of the first step") {
    Run run(8, {100});
    run.tracker.stage_started(run.dag, run.planned(0), 0);
    const RunningStage& stage = run.tracker.running().at(0);
    CHECK(stage.seconds_left(40) == Approx(60));    // the history's word until steps are counted
    run.tracker.stage_progress(0, step(1, 1), 50);  // the slow first step
    CHECK_FALSE(stage.seconds_a_step());
    run.tracker.stage_progress(0, step(1, 5), 54);
    CHECK(stage.seconds_a_step() == Approx(1));
    CHECK(stage.seconds_left(54) == Approx(15));
    CHECK(stage.seconds_left(56) == Approx(13));
    run.tracker.stage_progress(0, step(2, 10, true), 69);
    CHECK(stage.seconds_left(69) == Approx(0));
}

TEST_CASE("Reused and blocked stages do not count for the time left") {
    Run run(8, {10, 20, 30});
    run.plan.nodes[1].action = Action::Reuse;
    RunTracker tracker(8);
    tracker.run_started(run.dag, run.plan);
    CHECK(tracker.total() == 2);
    CHECK(tracker.time_left(0).seconds == Approx(30));
}

TEST_CASE("A stage without epochs shows its time, and a bar if the history has its duration") {
    RunningStage stage;
    stage.name = "load";
    CHECK(bar_line(stage, 3, 6, 80, false) == "load    3s");
    stage.expected_seconds = 6;
    CHECK(bar_line(stage, 3, 6, 80, false) == "load    ━━━━━━━━━━────────── 3s 3s left");
    CHECK(bar_line(stage, 9, 6, 80, false) == "load    ━━━━━━━━━━━━━━━━━━━━ 9s 0s left");
    CHECK(plain_line(stage, 3) == "load: running, 3s, 3s left");
}

TEST_CASE("The losses of a finished training are followed by their course over the epochs") {
    Run run(8, {100});
    run.tracker.stage_started(run.dag, run.planned(0), 0);
    const auto end_epoch = [&](std::int64_t epoch, double train, double validation) {
        run.tracker.stage_progress(0, {epoch, 3, 1, 10, false, {{"train/loss", 9}}}, 1);
        run.tracker.stage_progress(0, {epoch, 3, 10, 10, true, {{"val/loss", validation}, {"train/loss", train}, {"train/accuracy", 0.5}}}, 2);
    };
    const RunningStage& stage = run.tracker.running().at(0);
    end_epoch(1, 3, 2);
    CHECK(finished_metrics_text(stage) == " - train/accuracy: 0.5000 - train/loss: 3 - val/loss: 2");  // of one epoch there is no way
    end_epoch(2, 2, 1);
    end_epoch(3, 1, 1.5);
    CHECK(finished_metrics_text(stage) == " - train/accuracy: 0.5000 - train/loss: 1.0000 █▅▁ - val/loss: 1.5000 █▁▅");
    CHECK(metrics_text(stage.latest.metrics) == " - train/accuracy: 0.5000 - train/loss: 1.0000 - val/loss: 1.5000");
}

TEST_CASE("A resumed training, whose first epochs were not seen, shows its losses alone") {
    Run run(8, {100});
    run.tracker.stage_started(run.dag, run.planned(0), 0);
    for (const std::int64_t epoch : {2, 3}) run.tracker.stage_progress(0, {epoch, 3, 10, 10, true, {{"train/loss", 0.5}}}, 1);
    CHECK(finished_metrics_text(run.tracker.running().at(0)) == " - train/loss: 0.5000");
}

TEST_CASE("A training that kept an earlier epoch ends with that epoch's numbers") {
    Run run(8, {100});
    run.tracker.stage_started(run.dag, run.planned(0), 0);
    for (const std::int64_t epoch : {1, 2, 3})
        run.tracker.stage_progress(0, {epoch, 3, 10, 10, true, {{"val/loss", epoch == 2 ? 1 : 2}}}, 1);
    run.tracker.stage_progress(0, {2, 3, 0, 10, false, {{"val/loss", 1}}}, 1);
    CHECK(finished_metrics_text(run.tracker.running().at(0)) == " - kept epoch 2 - val/loss: 1.0000 █▁█");
}

TEST_CASE("A line that is too narrow for everything shows the numbers rather than the bar") {
    RunningStage stage;
    stage.name = "evaluate_m3";
    stage.latest = {3, 20, 48, 235, false, {{"train/accuracy", 0.92}, {"train/loss", 0.2043}}};
    stage.latest_at = 1.036;  // of 518 steps
    const auto line = [&](int width) { return bar_line(stage, 1.036, 11, width, false); };
    CHECK(line(120) == "evaluate_m3  epoch  3/20 ━━━━──────────────── "
                       " 48/235 2ms/step 8s left - train/accuracy: 0.9200 - train/loss: 0.2043");
    CHECK(line(79) == "evaluate_m3  epoch  3/20 ━────────  48/235 2ms/step 8s left loss 0.204 acc 0.92");
    CHECK(line(60) == "evaluate_m3  epoch  3/20 ━────── 8s left loss 0.204 acc 0.92");
    CHECK(line(40) == "evaluate_m3  epoch  3/20  loss 0.204 ac…");
}

TEST_CASE("Stages whose jobs wait are counted by reason, and are not among the running") {
    Run run(8, {10, 20, 30, 45});
    run.tracker.stage_queued(0, "Resources");
    run.tracker.stage_queued(3, "Priority");
    CHECK(queued_text(run.tracker.queued()) == "2 stages are queued: Priority (1), Resources (1)");
    CHECK(run.tracker.running().empty());
    run.tracker.stage_started(run.dag, run.planned(3), 0);
    CHECK(queued_text(run.tracker.queued()) == "1 stage is queued: Resources");
    run.tracker.stage_queued(3, "");  // its next job
    CHECK(run.tracker.running().empty());
    run.tracker.stage_finished(0);
    run.tracker.stage_finished(3);
    CHECK(queued_text(run.tracker.queued()).empty());
}
