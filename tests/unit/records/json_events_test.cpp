#include "pipeline/records/json_events.h"

#include <catch2/catch.hpp>
#include <regex>

#include "pipeline/run/workload.h"
#include "pipeline/sweep/sweep_summary.h"

using namespace satdl;

namespace {

using Lines = std::vector<std::string>;

// Two points of one stage; the second one failed.
struct SmallSweep {
    CatalogEntry stage;
    Sweep sweep;
    Plan plan;
    RunResult result;

    SmallSweep() {
        stage.description.kind = "fit";
        stage.description.outputs = {{.name = "metrics", .kind = PortKind::Metrics}};
        sweep.dag.name = "full";
        sweep.dag.file = "full.yaml";
        sweep.axes = {{"noise", {ConfigValue::of(0.1), ConfigValue::of_text("none")}, false}};
        for (const ConfigValue& noise : sweep.axes[0].values) {
            Node node;
            node.name = "fit[noise=" + noise.canonical() + "]";
            node.stage = &stage;
            const NodeId id = sweep.dag.nodes.size();
            sweep.points.push_back({{{"noise", noise.canonical()}}, {id}, {"fit"}});
            sweep.dag.nodes.push_back(node);
            plan.nodes.emplace_back().node = id;
            result.nodes.emplace_back().node = id;
        }
        result.nodes[0].state = NodeState::Ran;
        result.nodes[0].key = sha256("k");
        result.nodes[1].state = NodeState::Failed;
        result.nodes[1].error = "no luck";
    }
};

// The lines without the times, which differ each time.
template <typename Call>
Lines lines_of(const Call& call) {
    Lines lines;
    JsonEvents events({"r1", "1", 0}, [&lines](const std::string& line, bool) {
        lines.push_back(std::regex_replace(line, std::regex(R"("wall_time":[0-9.]+)"), R"("wall_time":0)"));
    });
    call(events);
    return lines;
}

}  // namespace

TEST_CASE("A sweep's points and its DAG follow the run's start") {
    const SmallSweep small;
    const Workload workload{.points = 2, .stages = 2, .to_run = 1, .may_run = 1, .cores = 4, .expected_seconds = 2.5};
    const Lines lines = lines_of([&](JsonEvents& events) {
        events.run_started(small.sweep.dag, small.plan);
        events.sweep_started(small.sweep, workload);
        events.stage_started(small.sweep.dag, small.plan.nodes[0]);
    });
    REQUIRE(lines.size() == 4);
    CHECK_THAT(lines[0], Catch::StartsWith(R"({"event":"run_started","wall_time":0,"run":"r1","dag":"full","file":"full.yaml","stages":2,)"));
    CHECK(lines[1] ==
          R"({"event":"sweep_started","wall_time":0,"run":"r1","dag":"full","stages":2,"shared":0,"reused":0,"to_run":1,"may_run":1,)"
          R"("cores":4,"expected_seconds":2.5,"axes":[{"param":"noise","values":[0.1,"none"],"repeats":false,"unused":false}],)"
          R"("points":[{"settings":{"noise":0.1},"stages":{"fit":{"stage":"fit[noise=0.1]"}}},)"
          R"({"settings":{"noise":"none"},"stages":{"fit":{"stage":"fit[noise=\"none\"]"}}}]})");
    CHECK_THAT(lines[2], Catch::StartsWith(R"({"event":"dag","wall_time":0,"numerics":"exact","stages":[{"stage":"fit[noise=0.1]","kind":"fit",)"));
    CHECK_THAT(lines[3], Catch::StartsWith(R"({"event":"stage_started",)"));
}

TEST_CASE("The event sweep has each point, how its stages ended, and a row for each setting") {
    const SmallSweep small;
    const auto metrics_of = [](NodeId node) { return node == 0 ? Metrics{{"metrics", {{"loss", 0.25}}}} : Metrics{}; };
    const SweepSummary summary = summarise_sweep(small.sweep, {{0, {sha256("k"), {}}}, {1, {{}, "no luck"}}}, metrics_of, {});
    const Lines lines = lines_of([&](JsonEvents& events) { events.sweep_finished(small.sweep, summary, small.result); });
    CHECK(lines ==
          Lines{R"({"event":"sweep","wall_time":0,"run":"r1","dag":"full","axes":[{"param":"noise","values":[0.1,"none"],"repeats":false,"unused":false}],)"
                R"("metrics":["fit.loss"],"sorted_by":null,"best":null,"points":[)"
                R"({"settings":{"noise":0.1},"metrics":{"fit.loss":0.25},"row":0,"failures":[],"stages":{"fit":{"stage":"fit[noise=0.1]",)"
                R"("outcome":"ran","key":")" + sha256("k").hex() + R"("}}},)"
                R"({"settings":{"noise":"none"},"metrics":{"fit.loss":null},"row":1,"failures":[{"stage":"fit[noise=\"none\"]","error":"no luck"}],)"
                R"("stages":{"fit":{"stage":"fit[noise=\"none\"]","outcome":"failed","key":null}}}],)"
                R"("rows":[{"settings":{"noise":0.1},"points":[0],"failed":0,"best":false,"metrics":{"fit.loss":{"mean":0.25,"sd":null,"n":1,"values":[0.25]}},"paired":[]},)"
                R"({"settings":{"noise":"none"},"points":[1],"failed":1,"best":false,"metrics":{"fit.loss":{"mean":null,"sd":null,"n":0,"values":[null]}},"paired":[]}]})"});
}

TEST_CASE("The events of a stage that jobs execute say which job, where, and how long it waited") {
    SmallSweep small;
    PlannedNode planned = small.plan.nodes[0];
    planned.where = "job 4711 on n2";
    NodeResult result = small.result.nodes[0];
    result.job = JobUsage{.where = "job 4711 on n2", .queued_seconds = 30, .attempts = 2};
    const Lines lines = lines_of([&](JsonEvents& events) {
        events.stage_queued(small.sweep.dag, planned, "job 4711", "Resources");
        events.stage_started(small.sweep.dag, planned);
        events.stage_finished(small.sweep.dag, result);
    });
    REQUIRE(lines.size() == 3);
    CHECK(lines[0] == R"({"event":"stage_queued","wall_time":0,"stage":"fit[noise=0.1]","job":"job 4711","reason":"Resources"})");
    CHECK_THAT(lines[1], Catch::Contains(R"("where":"job 4711 on n2")"));
    CHECK_THAT(lines[2], Catch::Contains(R"("where":"job 4711 on n2","queued_seconds":30.0,"jobs":2)"));
}
