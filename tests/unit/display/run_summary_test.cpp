#include "pipeline/display/run_summary.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "pipeline/display/text_format.h"

using namespace satdl;

TEST_CASE("The summary lists what ran with its seconds and counts reused stages beyond a screenful") {
    Dag dag;
    dag.name = std::string("d");
    RunResult result;
    for (std::size_t i = 0; i < 60; ++i) {
        Node node;
        node.name = fmt::format("s{}", i);
        dag.nodes.push_back(node);
        NodeResult one;
        one.node = i;
        one.state = i == 59 ? NodeState::Ran : NodeState::Reused;
        one.because = i == 59 ? "factor: 1 -> 2" : "up to date";
        one.seconds = i == 59 ? 1.25 : 0;
        result.nodes.push_back(one);
    }
    const std::string text = table_text(summary_table(dag, result));
    CHECK(text.find("s59    ran        1.25  factor: 1 -> 2\n") != std::string::npos);
    CHECK(text.find("s39 ") != std::string::npos);
    CHECK(text.find("s40 ") == std::string::npos);
    CHECK(text.find("... and 19 more reused") != std::string::npos);
    CHECK(summary_line(dag, result, 1.5) == "d: 60 stages: 1 ran, 59 reused, in 1.50 s");
}

TEST_CASE("The summary says which output was not stored and which is not deterministic") {
    Dag dag;
    dag.nodes.resize(1);
    dag.nodes[0].name = "m1";
    RunResult result;
    NodeResult node;
    node.state = NodeState::Ran;
    node.because = "first run";
    node.not_kept = "no space left";
    node.nondeterministic = true;
    result.nodes = {node};
    const std::string text = table_text(summary_table(dag, result));
    CHECK(text.find("NOT STORED: no space left") != std::string::npos);
    CHECK(text.find("NOT DETERMINISTIC") != std::string::npos);
}
