#include "pipeline/sweep/sweep_summary.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <set>
#include <nlohmann/json.hpp>

#include "pipeline/display/sweep_output.h"
#include "pipeline/records/sweep_json.h"

using namespace satdl;

namespace {

// Three stages a point: `make` is shared, `score` and `fit` are each point's own; fit reads score.
struct SmallSweep {
    CatalogEntry plain, scoring;
    Sweep sweep;
    std::map<NodeId, Metrics> metrics;
    std::set<NodeId> copies;  // nodes that are one artifact
    RunResult outcomes;

    SmallSweep() {
        scoring.description.outputs = {{.name = "metrics", .kind = PortKind::Metrics}};
        sweep.axes = {{"noise", {ConfigValue::of(0.1), ConfigValue::of(0.2)}, false}, {"net", {ConfigValue::of_text("a,b"), ConfigValue::of_text("7")}, false}};
        add("make", plain, {});
        for (int point = 0; point < 4; ++point) {
            const NodeId score = add("score", scoring, {0});
            const NodeId fit = add("fit", scoring, {score});
            const ConfigValue& noise = sweep.axes[0].values[static_cast<std::size_t>(point / 2)];
            const ConfigValue& net = sweep.axes[1].values[static_cast<std::size_t>(point % 2)];
            sweep.points.push_back(
                {{{"noise", noise.canonical()}, {"net", net.canonical()}}, {0, score, fit}, {"make", "score", "fit"}});
            metrics[score] = {{"metrics", {{"loss", 0.5}}}};
            metrics[fit] = {{"metrics", {{"loss", point + 0.25}, {"accuracy", 0.1 * point}}}};
        }
    }

    NodeId add(const std::string& name, const CatalogEntry& stage, const std::vector<NodeId>& inputs) {
        Node node;
        node.name = name;
        node.stage = &stage;
        for (const NodeId from : inputs) node.inputs.push_back({"x", from, "out", {}});
        sweep.dag.nodes.push_back(node);
        return sweep.dag.nodes.size() - 1;
    }

    // The node has no artifact, and ended so.
    void lose(NodeId node, NodeState state, const std::string& error = {}) {
        metrics.erase(node);
        NodeResult& result = outcomes.nodes.emplace_back();
        result.node = node;
        result.state = state;
        result.error = error;
    }

    [[nodiscard]] SweepSummary report(const SweepQuery& question = {}) const {
        const auto of_node = [this](NodeId node) {
            const auto found = metrics.find(node);
            return found == metrics.end() ? Metrics{} : found->second;
        };
        std::map<NodeId, SweepOutcome> ended;
        for (NodeId node = 0; node < sweep.dag.nodes.size(); ++node)
            ended[node].key = sha256(copies.contains(node) ? "copy" : std::to_string(node));
        for (const NodeResult& node : outcomes.nodes)
            ended[node.node] = {std::nullopt, node.state == NodeState::Failed ? std::optional(node.error) : std::nullopt};
        return summarise_sweep(sweep, ended, of_node, question);
    }
};

// The event `sweep`.
std::string to_json(const SweepSummary& summary, const Sweep& sweep, const RunResult& result) {
    return dump_json(sweep_json(sweep, summary, result));
}

}  // namespace

TEST_CASE("A sweep's columns are the metrics of the stages that no other stage reads") {
    const auto report = SmallSweep().report();
    CHECK(report.points[3].settings == std::vector<std::string>{"0.2", "\"7\""});
    CHECK(report.metrics == std::vector<std::string>{"fit.accuracy", "fit.loss"});
    REQUIRE(report.rows.size() == 4);
    CHECK(report.rows[3].metrics[1].mean == 3.25);
    CHECK(report.rows[3].points == std::vector<std::size_t>{3});
}

TEST_CASE("Metrics of any stage can be asked for, by their whole name or for every stage that has them") {
    CHECK(SmallSweep().report({.metrics = {"score.loss"}, .best = {}, .paired = {}}).metrics == std::vector<std::string>{"score.loss"});
    CHECK(SmallSweep().report({.metrics = {"loss"}, .best = {}, .paired = {}}).metrics == std::vector<std::string>{"score.loss", "fit.loss"});
}

TEST_CASE("A point that the run did not finish says so in CSV, where it would look like one without metrics") {
    SmallSweep small;
    small.lose(small.sweep.points[1].nodes[2], NodeState::Stopped);
    CHECK(to_csv(small.report()).find("0.1,7,,,not finished\n") != std::string::npos);
}

TEST_CASE("A point that failed has its error in the table, empty cells in CSV and null in JSON") {
    SmallSweep small;
    small.lose(small.sweep.points[1].nodes[2], NodeState::Failed, "no luck");
    small.metrics[small.sweep.points[2].nodes[2]]["metrics"]["loss"] = std::numeric_limits<double>::quiet_NaN();
    const auto report = small.report();
    CHECK(to_csv(report) ==
          "noise,net,fit.accuracy,fit.loss,error\n"
          "0.1,\"a,b\",0,0.25,\n"
          "0.1,7,,,no luck\n"
          "0.2,\"a,b\",0.2,nan,\n"
          "0.2,7,0.30000000000000004,3.25,\n");
    const auto json = nlohmann::json::parse(to_json(report, small.sweep, small.outcomes));
    CHECK(json["points"].size() == 4);
    CHECK(json["points"][0]["settings"] == nlohmann::json{{"noise", 0.1}, {"net", "a,b"}});
    CHECK(json["points"][1]["settings"]["net"] == "7");
    CHECK(json["points"][1]["metrics"]["fit.loss"].is_null());
    CHECK(json["points"][2]["metrics"]["fit.loss"].is_null());
    CHECK(json["points"][1]["failures"] == nlohmann::json{{{"stage", "fit"}, {"error", "no luck"}}});
    CHECK(json["points"][1]["stages"]["fit"] == nlohmann::json{{"stage", "fit"}, {"outcome", "failed"}, {"key", nullptr}});
    CHECK(json["rows"][1]["failed"] == 1);
    CHECK(to_table(report).rows[1] == std::vector<std::string>{"0.1", "7", "-", "-", "no luck"});
}


// `net` as a repetition: two settings of noise with two points each.
TEST_CASE("A repetition is no setting: a row has mean, standard deviation and n of its points, and their single values") {
    SmallSweep small;
    small.sweep.axes[1].repeats = true;
    const auto report = small.report();
    REQUIRE(report.rows.size() == 2);
    CHECK(report.rows[1].points == std::vector<std::size_t>{2, 3});
    CHECK(report.rows[1].metrics[1].mean == 2.75);
    CHECK(*report.rows[1].metrics[1].sd == Approx(std::sqrt(0.5)));
    const Table table = to_table(report);
    CHECK(table.columns == std::vector<std::string>{"noise", "n", "fit.accuracy", "fit.loss"});
    CHECK(label_columns(report) == 2);
    CHECK(table.rows[1] == std::vector<std::string>{"0.2", "2", "0.2500 ± 0.0707", "2.7500 ± 0.7071"});
    const auto json = nlohmann::json::parse(to_json(report, small.sweep, small.outcomes));
    CHECK(json["axes"][1]["repeats"] == true);
    CHECK(json["rows"][1]["settings"] == nlohmann::json{{"noise", 0.2}});
    CHECK(json["rows"][1]["metrics"]["fit.loss"]["values"] == nlohmann::json{2.25, 3.25});
    CHECK(json["points"][3]["row"] == 1);
    CHECK(to_csv(report).starts_with("noise,net,fit.accuracy,fit.loss,fit.accuracy.mean,fit.accuracy.sd,fit.accuracy.n,"
                                     "fit.loss.mean,fit.loss.sd,fit.loss.n,error\n"
                                     "0.1,\"a,b\",0,0.25,0.05,"));
}

TEST_CASE("A repetition without a value is not counted, and the table says so") {
    SmallSweep small;
    small.sweep.axes[1].repeats = true;
    small.metrics.erase(small.sweep.points[1].nodes[2]);
    const Table table = to_table(small.report());
    CHECK(table.rows[0] == std::vector<std::string>{"0.1", "1 of 2", "0", "0.2500"});
}

TEST_CASE("Two metrics are compared point by point, and in words") {
    SmallSweep small;
    small.sweep.axes[1].repeats = true;
    const SweepQuery question{.metrics = {}, .best = {}, .paired = {{"score.loss", "fit.loss"}}};
    const auto report = small.report(question);
    REQUIRE(report.rows[0].paired.size() == 1);
    const auto& first = report.rows[0].paired[0];
    CHECK(first.difference.mean == 0.25);
    CHECK(first.interval->high - 0.25 == Approx(12.7062 * std::sqrt(0.5) / std::sqrt(2)).epsilon(1e-5));
    CHECK(describe(report, first) ==
          "fit.loss - score.loss = +0.2500, 95 % interval -6.1031 to +6.6031, n = 2: cannot be distinguished from zero");
    for (int point = 0; point < 2; ++point) {
        auto& values = small.metrics[small.sweep.points[static_cast<std::size_t>(point)].nodes[2]]["metrics"];
        values["loss"] = 5 + 0.001 * point;
    }
    const auto clear = small.report(question);
    CHECK_THAT(describe(clear, clear.rows[0].paired[0]), Catch::EndsWith("n = 2: fit.loss is greater than score.loss"));
}

TEST_CASE("Metrics that a stage's description pairs are compared by default, and one repetition gives no interval") {
    SmallSweep small;
    small.sweep.axes[1].repeats = true;
    for (const auto& point : small.sweep.points) small.metrics[point.nodes[2]] = {{"metrics", {{"old", 0.5}, {"new", 0.75}}}};
    CHECK(small.report().rows[0].paired.empty());
    small.scoring.description.outputs[0].metrics = PortDescription::MetricsRule{.names = {"old", "new"}, .pairs = {{"old", "new"}}};
    for (const std::size_t lost : {1, 3}) small.metrics.erase(small.sweep.points[lost].nodes[2]);
    const auto report = small.report();
    REQUIRE(report.rows[0].paired.size() == 1);
    CHECK(!report.rows[0].paired[0].interval);
    CHECK(describe(report, report.rows[0].paired[0]) == "fit.new - fit.old = +0.2500, n = 1: there is no interval from one value");
    const auto json = nlohmann::json::parse(to_json(report, small.sweep, small.outcomes));
    CHECK(json["rows"][0]["paired"][0]["low"].is_null());
    CHECK(json["rows"][0]["paired"][0]["told_from_zero"].is_null());
}

TEST_CASE("The pairs of a stage with several metrics outputs are those of its ports") {
    StageDescription two{.kind = "two"};
    const PortDescription::MetricsRule rule{.names = {"a", "b", "c"}, .pairs = {{"a", "b"}, {"a", "c"}}};
    two.outputs = {{.name = "scores", .kind = PortKind::Metrics, .metrics = rule}, {.name = "sizes", .kind = PortKind::Metrics}};
    const std::vector<std::pair<std::string, std::string>> pairs{{"t.scores.a", "t.scores.b"}, {"t.scores.a", "t.scores.c"}};
    CHECK(paired_columns("t", two) == pairs);
    CHECK(metric_columns("t", {{"scores", {{"a", 1}, {"b", 1}}}, {"sizes", {}}})[1] == pairs[0].second);
    two.outputs.pop_back();
    CHECK(paired_columns("t", two)[0] == std::pair<std::string, std::string>{"t.a", "t.b"});
}

TEST_CASE("The table is sorted by the first metric that is asked for, and the best row is marked") {
    const SmallSweep small;
    const auto best = small.report({.metrics = {"accuracy"}, .best = {}, .paired = {}});
    CHECK(best.best == Best::Max);
    CHECK(best.rows[0].points == std::vector<std::size_t>{3});
    CHECK(best.rows[0].best);
    CHECK(!best.rows[1].best);
    CHECK(best.points[3].row == 0);
    CHECK(small.report({.metrics = {"accuracy"}, .best = Best::Min, .paired = {}}).rows[0].points[0] == 0);
    CHECK(small.report({.metrics = {"fit.loss"}, .best = {}, .paired = {}}).best == Best::Min);
    CHECK(to_table(best).notes == std::vector<std::string>{"sorted by fit.accuracy, highest first"});
    CHECK(to_table(best).rows[0].back() == "highest");  // without repetitions it is unknown whether it is better by more than chance
}

TEST_CASE("A setting is the best only if its repetitions tell it from all others") {
    SmallSweep small;
    small.sweep.axes[1].repeats = true;
    const auto set = [&](const std::vector<double>& accuracies) {
        for (std::size_t i = 0; i < 4; ++i) small.metrics[small.sweep.points[i].nodes[2]]["metrics"]["accuracy"] = accuracies[i];
        return small.report({.metrics = {"accuracy"}, .best = {}, .paired = {}});
    };
    const auto tied = set({0.80, 0.84, 0.79, 0.84});  // +- 0.25 each
    CHECK(tied.rows[0].best);
    CHECK(tied.rows[1].best);
    CHECK(to_table(tied).rows[1].back() == "among the best");
    CHECK(to_table(tied).notes[1] ==
          "1 setting cannot be distinguished from the first: the 95 % intervals of the two means overlap, or one has none");
    const auto clear = set({0.80, 0.801, 0.5, 0.501});  // +- 0.006 each
    CHECK(clear.rows[0].best);
    CHECK(!clear.rows[1].best);
    CHECK(to_table(clear).rows[0].back() == "best");
    CHECK(to_table(clear).rows[1].back().empty());
    small.copies = {small.sweep.points[0].nodes[2], small.sweep.points[1].nodes[2]};
    CHECK(set({0.80, 0.80, 0.5, 0.501}).rows[1].best);  // the first row has one artifact and so no interval
}

TEST_CASE("Points that share an artifact are one repetition, of which there is no interval") {
    SmallSweep small;
    small.sweep.axes[1].repeats = true;
    for (std::size_t i : {0, 1}) {
        small.copies.insert(small.sweep.points[i].nodes[2]);
        small.metrics[small.sweep.points[i].nodes[2]] = {{"metrics", {{"loss", 0.75}}}};
    }
    const SweepQuery query{.metrics = {}, .best = {}, .paired = {{"score.loss", "fit.loss"}}};
    const auto half = small.report(query);  // each point has a score of its own
    CHECK(half.rows[0].metrics[1].n == 1);
    CHECK(!half.rows[0].metrics[1].sd);
    CHECK(half.rows[0].paired[0].difference.n == 2);
    CHECK(describe(half, half.rows[0].paired[0]) ==
          "fit.loss - score.loss = +0.2500, n = 2 (only score varies, fit is the same artifact in all 2 points): "
          "there is no interval from equal values");
    for (std::size_t i : {0, 1}) small.sweep.points[i].nodes[1] = small.sweep.points[0].nodes[1];
    const auto none = small.report(query);
    CHECK(none.rows[0].paired[0].difference.n == 1);
    CHECK(describe(none, none.rows[0].paired[0]) ==
          "fit.loss - score.loss = +0.2500, n = 1: fit, score are each the same artifact in all 2 points, so there is no interval");
    const Table table = to_table(none);
    CHECK(table.rows[0] == std::vector<std::string>{"0.1", "1 of 2", "0.5000", "0.7500"});
    CHECK(table.notes[1] == "an artifact that several points share counts once: score.loss, fit.loss");
    const auto json = nlohmann::json::parse(to_json(none, small.sweep, small.outcomes));
    CHECK(json["rows"][0]["metrics"]["fit.loss"]["n"] == 1);
    CHECK(json["rows"][0]["metrics"]["fit.loss"]["values"] == nlohmann::json{0.75, 0.75});
    CHECK(json["rows"][0]["paired"][0]["told_from_zero"].is_null());
    CHECK(json["rows"][0]["paired"][0]["same"] == nlohmann::json{"fit", "score"});
}

// `fit` compares two others: its metric p is about `make`, which all points share.
TEST_CASE("Each side of a comparison is taken from its own artifact") {
    SmallSweep small;
    small.sweep.axes[1].repeats = true;
    CatalogEntry comparing = small.scoring;
    comparing.description.inputs = {{.name = "x", .kind = PortKind::Metrics, .role = PortRole::Candidate},
                                    {.name = "old", .kind = PortKind::Metrics, .role = PortRole::Baseline}};
    comparing.description.outputs[0].metrics = PortDescription::MetricsRule{.names = {"p", "p0", "difference"}, .pairs = {{"p", "p0"}}};
    for (std::size_t i = 0; i < 4; ++i) {
        const NodeId fit = small.sweep.points[i].nodes[2];
        small.sweep.dag.nodes[fit].stage = &comparing;
        small.sweep.dag.nodes[fit].inputs.push_back({"old", 0, "out", {}});
        const double p0 = 0.6 + 0.1 * static_cast<double>(i);
        small.metrics[fit] = {{"metrics", {{"p", 0.5}, {"p0", p0}, {"difference", p0 - 0.5}}}};
    }
    const auto report = small.report();
    CHECK(report.metrics == std::vector<std::string>{"fit.difference", "fit.p", "fit.p0"});
    CHECK(to_table(report).rows[0] == std::vector<std::string>{"0.1", "2", "0.1500 ± 0.0707", "0.5000 (n=1)", "0.6500 ± 0.0707"});
    CHECK_THAT(describe(report, report.rows[0].paired[0]),
               Catch::Contains("n = 2 (only score varies, make is the same artifact in all 2 points): cannot be distinguished from zero"));
}

TEST_CASE("The columns of a run that leaves stages out are those of its own last stages and of its targets") {
    SmallSweep small;
    std::map<NodeId, SweepOutcome> ended;
    for (const SweepPoint& point : small.sweep.points) ended[point.nodes[1]].key = sha256(std::to_string(point.nodes[1]));
    const auto metrics_of = [&](NodeId node) { return ended.contains(node) ? small.metrics.at(node) : Metrics{}; };
    CHECK(summarise_sweep(small.sweep, ended, metrics_of, {}).metrics == std::vector<std::string>{"score.loss"});
    CHECK(small.report({.metrics = {}, .best = {}, .paired = {}, .targets = {"score"}}).metrics ==
          std::vector<std::string>{"score.loss", "fit.accuracy", "fit.loss"});
}

TEST_CASE("A metric that was asked for keeps its column if all points that would report it failed") {
    SmallSweep small;
    for (const SweepPoint& point : small.sweep.points) small.lose(point.nodes[2], NodeState::Failed, "no luck");
    const auto report = small.report({.metrics = {"fit.loss", "score.loss"}, .best = {}, .paired = {}});
    const Table table = to_table(report);
    CHECK(table.columns == std::vector<std::string>{"noise", "net", "score.loss", "fit.loss", "", "error"});
    CHECK(table.rows[0] == std::vector<std::string>{"0.1", "a,b", "0.5000", "-", "", "no luck"});
    CHECK(table.notes[0] == "sorted by fit.loss, lowest first");
    CHECK(to_csv(report).starts_with("noise,net,score.loss,fit.loss,error\n0.1,\"a,b\",0.5,,no luck\n"));
    CHECK(report.unknown == std::vector<std::string>{"fit.loss"});
}

TEST_CASE("Without metrics, n counts the points that are done, and a note says why there is no number") {
    SmallSweep small;
    small.sweep.axes[1].repeats = true;
    small.scoring.description.outputs.clear();
    const Table table = to_table(small.report());
    CHECK(table.columns == std::vector<std::string>{"noise", "n"});
    CHECK(table.rows == std::vector<std::vector<std::string>>{{"0.1", "2"}, {"0.2", "2"}});
    CHECK(table.notes ==
          std::vector<std::string>{"there is no metric to show: neither the targets nor the last stages of this run report one"});
    small.lose(small.sweep.points[1].nodes[2], NodeState::Failed, "no luck");
    CHECK(to_table(small.report()).rows[0] == std::vector<std::string>{"0.1", "1 of 2", "net=7: no luck"});
}

TEST_CASE("A metric that no stage reported is named, and the table has the others") {
    const auto report = SmallSweep().report({.metrics = {"acuracy"}, .best = {}, .paired = {}});
    CHECK(report.unknown == std::vector<std::string>{"acuracy"});
    CHECK(report.metrics == std::vector<std::string>{"score.loss", "fit.accuracy", "fit.loss"});
    CHECK(report.reported.size() == 3);
}
