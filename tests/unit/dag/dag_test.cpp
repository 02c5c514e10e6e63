#include "pipeline/dag/dag.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <random>

#include "tests/support/sorted_dag.h"

using namespace satdl;

namespace {

// A DAG from what each node reads, by position.
Dag dag_of(const std::vector<std::pair<std::string, std::vector<NodeId>>>& nodes) {
    const auto source = std::make_shared<const SourceText>(SourceText{"a.yaml", "text\n"});
    Dag dag;
    for (const auto& [name, reads] : nodes) {
        Node& node = dag.nodes.emplace_back();
        node.name = node.group = name;
        for (const NodeId from : reads)
            node.inputs.push_back({"in", from, "out", {source, static_cast<int>(dag.nodes.size()), 1}});
    }
    return dag;
}

std::vector<std::string> names(const Dag& dag) {
    std::vector<std::string> all;
    for (const Node& node : dag.nodes) all.push_back(node.name);
    return all;
}

std::vector<std::string> mistakes(Dag dag) {
    try {
        (void)sorted(std::move(dag));
    } catch (const Error& error) {
        std::vector<std::string> found;
        for (const Diagnostic& one : error.diagnostics()) found.push_back(fmt::format("{} {}", one.place.line, one.message));
        return found;
    }
    return {};
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("nodes come after what they read, else in the order of the YAML") {
    const Dag dag = sorted(dag_of({{"e", {3, 1}}, {"b", {}}, {"c", {}}, {"d", {2}}}));
    CHECK(names(dag) == Lines{"b", "c", "d", "e"});
    CHECK(dag.nodes[3].inputs[0].from == 2);
    CHECK(dag.nodes[3].inputs[1].from == 0);
    CHECK(names(sorted(dag_of({{"z", {}}, {"a", {}}, {"m", {}}}))) == Lines{"z", "a", "m"});
}

TEST_CASE("groups follow their nodes") {
    Dag dag = dag_of({{"g@2", {1}}, {"g@1", {}}});
    dag.groups["g"] = {0, 1};
    const Dag done = sorted(std::move(dag));
    CHECK(done.groups.at("g") == std::vector<NodeId>{0, 1});
    CHECK(done.names() == Lines{"g@1", "g@2", "g"});
    CHECK(done.find("g@2") == &done.nodes[1]);
    CHECK(done.find("g") == nullptr);
}

TEST_CASE("types follow their nodes") {
    Dag dag = dag_of({{"b", {1}}, {"a", {}}});
    dag.types.resize(2);
    dag.types[0].network_cost = 7;
    const Dag done = sorted(dag);
    CHECK(done.types[0].network_cost == 0);
    CHECK(done.types[1].network_cost == 7);
    CHECK(subgraph(dag, {1}).types.size() == 1);
    CHECK(sorted(dag_of({{"a", {}}})).types.empty());  // not known yet
}

TEST_CASE("consumers are listed once each, in ascending order") {
    const Dag dag = sorted(dag_of({{"a", {}}, {"b", {0, 0}}, {"c", {0, 1}}}));
    CHECK(dag.consumers() == std::vector<std::vector<NodeId>>{{1, 2}, {2}, {}});
}

TEST_CASE("a cycle is shown in the direction of the data, at one of its edges") {
    CHECK(mistakes(dag_of({{"a", {2}}, {"b", {0}}, {"c", {1}}, {"d", {2}}})) ==
          Lines{"1 these stages depend on each other in a cycle: a -> b -> c -> a"});
    CHECK(mistakes(dag_of({{"a", {0}}})) == Lines{"1 these stages depend on each other in a cycle: a -> a"});
}

TEST_CASE("every separate cycle is reported, and nodes that only depend on one are not") {
    CHECK(mistakes(dag_of({{"x", {1}}, {"a", {2}}, {"b", {1}}, {"p", {4}}, {"q", {3}}, {"free", {}}})) ==
          Lines{"2 these stages depend on each other in a cycle: a -> b -> a", "4 these stages depend on each other in a cycle: p -> q -> p"});
}

TEST_CASE("random DAGs come out sorted, with the same edges") {
    std::mt19937 random(1);
    for (int round = 0; round < 50; ++round) {
        const std::size_t size = 1 + random() % 40;
        std::vector<NodeId> place(size);  // position in the file of the i-th in a valid order
        for (std::size_t i = 0; i < size; ++i) place[i] = i;
        std::shuffle(place.begin(), place.end(), random);
        std::vector<std::pair<std::string, std::vector<NodeId>>> nodes(size);
        for (std::size_t i = 0; i < size; ++i) {
            nodes[place[i]].first = fmt::format("n{}", place[i]);
            for (std::size_t j = 0; j < i; ++j)
                if (random() % 5 == 0) nodes[place[i]].second.push_back(place[j]);
        }
        const Dag dag = sorted(dag_of(nodes));
        REQUIRE(dag.nodes.size() == size);
        for (NodeId id = 0; id < size; ++id) {
            const auto& before = nodes[std::stoul(dag.nodes[id].name.substr(1))].second;
            REQUIRE(dag.nodes[id].inputs.size() == before.size());
            for (std::size_t i = 0; i < before.size(); ++i) {
                CHECK(dag.nodes[id].inputs[i].from < id);
                CHECK(dag.nodes[dag.nodes[id].inputs[i].from].name == fmt::format("n{}", before[i]));
            }
        }
    }
}

TEST_CASE("a chain of a hundred thousand, written backwards, is sorted") {
    std::vector<std::pair<std::string, std::vector<NodeId>>> nodes;
    const std::size_t size = 100'000;
    for (std::size_t i = 0; i < size; ++i)
        nodes.push_back({fmt::format("n{}", i), i + 1 < size ? std::vector<NodeId>{i + 1} : std::vector<NodeId>{}});
    const Dag dag = sorted(dag_of(nodes));
    CHECK(dag.nodes.front().name == "n99999");
    CHECK(dag.nodes.back().inputs[0].from == size - 2);
}
