#include "pipeline/run/forecast.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <numeric>
#include <random>

#include "tests/support/tiny_stages.h"

using namespace satdl;
using namespace satdl::test;

namespace {

// Of which every node runs, for so many seconds.
Plan plan_of(const std::vector<double>& seconds, int threads = 1) {
    Plan plan;
    for (NodeId id = 0; id < seconds.size(); ++id) {
        PlannedNode& planned = plan.nodes.emplace_back();
        planned.node = id;
        planned.threads = threads;
        planned.expected_seconds = seconds[id];
    }
    return plan;
}

Dag chain() {
    return DagBuilder().add("a", "make").add("b", "add", {}, {{"x", "a.out"}}).add("c", "add", {}, {{"x", "b.out"}}).build();
}

Dag alone(int count) {
    DagBuilder builder;
    for (std::int64_t i = 0; i < count; ++i) builder.add(fmt::format("a{}", i), "make", {{"k", ConfigValue::of(i)}});
    return builder.build();
}

}  // namespace

TEST_CASE("A chain takes the sum of its stages, on any number of cores") {
    CHECK(forecast_seconds(chain(), plan_of({1, 2, 4}), {}, 1) == 7);
    CHECK(forecast_seconds(chain(), plan_of({1, 2, 4}), {}, 8) == 7);
    CHECK(forecast_seconds(Dag{}, Plan{}, {}, 8) == 0);
}

TEST_CASE("Independent stages share the cores, by their threads and -j") {
    CHECK(forecast_seconds(alone(4), plan_of({10, 10, 10, 10}), {}, 4) == 10);
    CHECK(forecast_seconds(alone(4), plan_of({10, 10, 10, 10}), {}, 2) == 20);
    CHECK(forecast_seconds(alone(4), plan_of({10, 10, 10, 10}), {.jobs = 1}, 4) == 40);
    CHECK(forecast_seconds(alone(4), plan_of({10, 10, 10, 10}, 2), {}, 3) == 40);  // a core stays idle
    CHECK(forecast_seconds(alone(3), plan_of({6, 3, 3}), {}, 2) == 6);
}

TEST_CASE("Reused stages take no time, and without a history there is no forecast") {
    Plan plan = plan_of({1, 2, 4});
    plan.nodes[0].action = Action::Reuse;
    plan.nodes[0].expected_seconds.reset();
    plan.nodes[2].action = Action::Unknown;
    CHECK(forecast_seconds(chain(), plan, {}, 2) == 6);
    plan.nodes[2].expected_seconds.reset();
    CHECK_FALSE(forecast_seconds(chain(), plan, {}, 2).has_value());
}

TEST_CASE("One cohort after the other takes as long as all of them, however many cores there are") {
    DagBuilder builder;
    Cohorts cohorts{std::nullopt};
    builder.add("shared", "make");
    for (std::size_t point = 0; point < 4; ++point) {
        builder.add(fmt::format("b{}", point), "add", {{"k", ConfigValue::of(static_cast<std::int64_t>(point))}}, {{"x", "shared.out"}});
        builder.add(fmt::format("c{}", point), "add", {}, {{"x", fmt::format("b{}.out", point)}});
        cohorts.insert(cohorts.end(), 2, point);
    }
    const Dag dag = builder.build();
    const Plan plan = plan_of({5, 1, 10, 1, 10, 1, 10, 1, 10});
    CHECK(forecast_seconds(dag, plan, {}, 8, cohorts) == 5 + 11);
    CHECK(forecast_seconds(dag, plan, {.cohorts = 2}, 8, cohorts) == 5 + 22);
    CHECK(forecast_seconds(dag, plan, {.cohorts = 1}, 8, cohorts) == 5 + 44);
}

TEST_CASE("A forecast lies between what no schedule can beat and one stage after the other") {
    std::mt19937 random(5);
    for (int round = 0; round < 100; ++round) {
        DagBuilder builder;
        std::vector<double> seconds, path;
        builder.add("n0", "make");
        for (int i = 0; i < 20; ++i) {
            seconds.push_back(static_cast<double>(random() % 9));
            const auto from = i == 0 ? 0 : random() % static_cast<unsigned>(i);
            path.push_back(seconds.back() + (i == 0 ? 0 : path[from]));
            if (i > 0) builder.add(fmt::format("n{}", i), "add", {}, {{"x", fmt::format("n{}.out", from)}});
        }
        const double all = std::accumulate(seconds.begin(), seconds.end(), 0.0);
        const int cores = 1 + static_cast<int>(random() % 4);
        const double forecast = forecast_seconds(builder.build(), plan_of(seconds), {}, cores).value();
        CHECK(forecast >= std::max(*std::ranges::max_element(path), all / cores));
        CHECK(forecast <= all);
        if (cores == 1) CHECK(forecast == all);
    }
}

TEST_CASE("Stages that jobs execute take no core of this machine") {
    Dag dag = alone(4);
    for (NodeId id = 0; id < 3; ++id) dag.nodes[id].job = std::make_shared<JobSettings>();
    CHECK(forecast_seconds(dag, plan_of({10, 20, 10, 5}), {}, 1) == 20);
}
