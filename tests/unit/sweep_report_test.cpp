#include "pipeline/sweep_report.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <limits>
#include <nlohmann/json.hpp>

#include "pipeline/text.h"

using namespace satdl;

namespace {

// Three stages a point: `make` is shared, `score` and `fit` are each point's own; fit reads score.
struct SmallSweep {
    CatalogEntry plain, scoring;
    Sweep sweep;
    std::map<NodeId, Metrics> metrics;

    SmallSweep() {
        scoring.description.outputs = {{.name = "metrics", .kind = PortKind::Metrics}};
        sweep.axes = {{"noise", {Value::of(0.1), Value::of(0.2)}}, {"net", {Value::of_text("a,b"), Value::of_text("7")}}};
        add("make", plain, {});
        for (int point = 0; point < 4; ++point) {
            const NodeId score = add("score", scoring, {0});
            const NodeId fit = add("fit", scoring, {score});
            const Value& noise = sweep.axes[0].values[static_cast<std::size_t>(point / 2)];
            const Value& net = sweep.axes[1].values[static_cast<std::size_t>(point % 2)];
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

    [[nodiscard]] SweepReport report(const std::vector<std::string>& wanted = {}) const {
        const auto of_node = [this](NodeId node) {
            const auto found = metrics.find(node);
            return found == metrics.end() ? Metrics{} : found->second;
        };
        return sweep_report(sweep, of_node, wanted);
    }
};

}  // namespace

TEST_CASE("A sweep's columns are the metrics of the stages that nobody reads") {
    const auto report = SmallSweep().report();
    CHECK(report.axes == std::vector<std::string>{"noise", "net"});
    CHECK(report.metrics == std::vector<std::string>{"fit.accuracy", "fit.loss"});
    REQUIRE(report.rows.size() == 4);
    CHECK(report.rows[3].metrics[1] == 3.25);
}

TEST_CASE("Metrics of any stage can be asked for, by their whole name or for every stage that has them") {
    CHECK(SmallSweep().report({"score.loss"}).metrics == std::vector<std::string>{"score.loss"});
    CHECK(SmallSweep().report({"loss"}).metrics == std::vector<std::string>{"score.loss", "fit.loss"});
}

TEST_CASE("A point that failed has empty cells in CSV and null in JSON") {
    SmallSweep small;
    small.metrics.erase(small.sweep.points[1].nodes[2]);
    small.metrics[small.sweep.points[2].nodes[2]]["metrics"]["loss"] = std::numeric_limits<double>::quiet_NaN();
    const auto report = small.report();
    CHECK(to_csv(report) ==
          "noise,net,fit.accuracy,fit.loss\n"
          "0.1,\"a,b\",0,0.25\n"
          "0.1,7,,\n"
          "0.2,\"a,b\",0.2,nan\n"
          "0.2,7,0.30000000000000004,3.25\n");
    const auto json = nlohmann::json::parse(to_json(report));
    CHECK(json["points"].size() == 4);
    CHECK(json["points"][0]["settings"] == nlohmann::json{{"noise", 0.1}, {"net", "a,b"}});
    CHECK(json["points"][1]["settings"]["net"] == "7");
    CHECK(json["points"][1]["metrics"]["fit.loss"].is_null());
    CHECK(json["points"][2]["metrics"]["fit.loss"].is_null());
    CHECK(table_text(to_table(report)).find("0.2000       nan\n") != std::string::npos);
}

