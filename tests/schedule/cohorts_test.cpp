// Stages of which few sets are to be under way at the same time: the points of a sweep.
#include <random>
#include <thread>

#include "world.h"

using namespace satdl;
using namespace satdl::test;

namespace {

// Points that share a few stages and have a few each, as a sweep has them.
struct Points {
    Dag dag;
    Cohorts cohorts;
    std::vector<int> sizes;  // by point: its own nodes
};

Points random_points(std::mt19937& random, bool equal_keys) {
    const auto below = [&](int end) { return static_cast<int>(random() % static_cast<unsigned>(end)); };
    Points made;
    DagBuilder builder;
    Names shared;
    for (int i = 0; i < 3; ++i) {
        shared.push_back(fmt::format("shared{}", i));
        const DagBuilder::Edges edges{{"x", i == 0 ? "" : shared[static_cast<std::size_t>(below(i))] + ".out"}};
        builder.add(shared.back(), i == 0 ? "make" : "add", {{"k", ConfigValue::of(std::int64_t{i})}}, i == 0 ? DagBuilder::Edges{} : edges);
        made.cohorts.emplace_back();
    }
    for (int point = 0; point < 6; ++point) {
        Names known = shared;
        made.sizes.push_back(1 + below(4));
        for (int i = 0; i < made.sizes.back(); ++i) {
            const std::string name = fmt::format("p{}_{}", point, i);
            const std::int64_t k = equal_keys ? below(2) : 100 + 10 * point + i;
            // parity: of two points' outcomes many are the same, and so are then the keys of what reads them
            builder.add(name, equal_keys && below(2) == 0 ? "parity" : "add", {{"k", ConfigValue::of(k)}},
                        {{"x", known[static_cast<std::size_t>(below(static_cast<int>(known.size())))] + ".out"}});
            known.push_back(name);
            made.cohorts.emplace_back(static_cast<std::size_t>(point));
        }
    }
    made.dag = builder.build();
    return made;
}

}  // namespace

TEST_CASE("The limit of concurrent cohorts holds whatever fails, and the results are those of the serial scheduler") {
    std::mt19937 random(11);
    for (int round = 0; round < 60; ++round) {
        const Points points = random_points(random, false);
        World world;
        world.cohorts = points.cohorts;
        world.limits.keep_going = round % 3 != 0;
        world.limits.cohorts = 1 + random() % 3;
        std::mutex mutex;
        std::map<std::size_t, int> entered, left;
        std::size_t max = 0;
        std::set<std::string> failing;
        for (NodeId id = 0; id < points.dag.nodes.size(); ++id) {
            const std::string name = points.dag.nodes[id].name;
            if (random() % 8 == 0 && name.starts_with('p')) failing.insert(name);
            world.executor.scripts[name] = [&, id, name](const StageInputs&, StageContext&) {
                const auto cohort = points.cohorts[id];
                {
                    const std::scoped_lock lock(mutex);
                    if (cohort) ++entered[*cohort];
                    std::size_t in_flight = 0;
                    for (const auto& [one, count] : entered) {
                        const int to_come = failing.empty() ? points.sizes[one] : count;  // who knows what else is skipped
                        in_flight += left[one] < to_come;
                    }
                    max = std::max(max, in_flight);
                }
                std::this_thread::yield();
                const std::scoped_lock lock(mutex);
                if (cohort) ++left[*cohort];
                if (failing.contains(name)) throw std::runtime_error("no luck");
                return StageOutput{{{"out", as_group({static_cast<std::int64_t>(id)})}}, {}};
            };
        }
        if (round % 2 == 0) failing.clear();
        const RunResult result = world.run(points.dag, 1 + static_cast<int>(random() % 8));
        CHECK(max <= world.limits.cohorts);
        World serial;
        serial.limits = world.limits;
        serial.executor.scripts = world.executor.scripts;
        const RunResult twin = serial.run(points.dag, kSerial);
        if (world.limits.keep_going || failing.empty()) CHECK(states(points.dag, result) == states(points.dag, twin));
        for (std::size_t i = 0; i < twin.nodes.size(); ++i)
            if (twin.nodes[i].state == NodeState::Ran && result.nodes[i].state == NodeState::Ran)
                CHECK(twin.nodes[i].outputs == result.nodes[i].outputs);
    }
}

TEST_CASE("Cohorts whose stages turn out to be the same do not deadlock") {
    std::mt19937 random(12);
    for (int round = 0; round < 200; ++round) {
        const Points points = random_points(random, true);
        World world, serial;
        world.cohorts = points.cohorts;
        world.limits.cohorts = 1;
        const RunResult result = world.run(points.dag, 1 + static_cast<int>(random() % 8));
        const RunResult twin = serial.run(points.dag, kSerial);
        CHECK(result.count(NodeState::Ran) == twin.count(NodeState::Ran));
        for (std::size_t i = 0; i < twin.nodes.size(); ++i) CHECK(twin.nodes[i].outputs == result.nodes[i].outputs);
    }
}

TEST_CASE("With a limit of one, cohorts run one after the other, after the stages that they share") {
    World world;
    DagBuilder builder;
    builder.add("shared", "make");
    world.cohorts.emplace_back();
    for (const char* stage : {"b", "c", "d"}) {
        for (std::size_t point = 0; point < 4; ++point) {
            const std::string before = stage[0] == 'b' ? "shared" : fmt::format("{}{}", static_cast<char>(stage[0] - 1), point);
            builder.add(fmt::format("{}{}", stage, point), "add", {{"k", ConfigValue::of(static_cast<std::int64_t>(point + 1))}},
                        {{"x", before + ".out"}});
            world.cohorts.emplace_back(point);
        }
    }
    world.limits.cohorts = 1;
    (void)world.run(builder.build(), 8);
    CHECK(world.observer.started == Names{"shared", "b0", "c0", "d0", "b1", "c1", "d1", "b2", "c2", "d2", "b3", "c3", "d3"});
}
