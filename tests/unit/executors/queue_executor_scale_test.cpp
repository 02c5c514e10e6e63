// 100,000 stages on 1,000 workers, in virtual time: what the controller costs, and how near the schedule is to the best possible one.
#include <catch2/catch.hpp>
#include <cstdio>
#include <ctime>
#include <random>

#include "tests/support/scripted_cluster.h"

using namespace satdl;
using namespace satdl::test;

namespace {

double cpu_seconds() {
    timespec time{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

}  // namespace

TEST_CASE("A hundred thousand stages on a thousand workers end in little more than their work takes") {
    constexpr std::size_t kStages = 100'000, kWorkers = 1'000;
    ClusterRun run;
    run.cluster.workers = kWorkers;
    run.cluster.limits = {.jobs_at_once = 2'000, .array = 1'000};
    run.cluster.latency = 1;
    std::mt19937 random(1);
    std::uniform_real_distribution<double> short_seconds(20, 60);
    std::vector<double> seconds(kStages);
    double work = 0, longest = 0;
    for (std::size_t node = 0; node < kStages; ++node) {
        seconds[node] = node % 1000 == 0 ? 1200 : short_seconds(random);
        work += seconds[node];
        longest = std::max(longest, seconds[node]);
    }
    run.cluster.seconds_of = [&](const std::string& name) { return seconds[std::stoul(name.substr(5))]; };
    const double began = run.clock.now, cpu_began = cpu_seconds();
    std::vector<JobStage> stages;
    for (NodeId node = 0; node < kStages; ++node) stages.push_back(ClusterRun::stage(node, seconds[node]));
    run.executor->submit(std::move(stages));
    while (run.listener.outcomes.size() < kStages && run.clock.now - began < 100'000) run.pass(10, 1);
    REQUIRE(run.listener.outcomes.size() == kStages);
    const double makespan = run.clock.now - began, best = std::max(longest, work / kWorkers);
    std::printf("%zu stages in %zu jobs, %zu submissions: makespan %.0f s, at best %.0f s; %.0f us of CPU a stage with the simulation\n",
                kStages, run.cluster.jobs.size(), run.cluster.submissions.size(), makespan, best,
                1e6 * (cpu_seconds() - cpu_began) / static_cast<double>(kStages));
    CHECK(makespan < 1.5 * best);
    CHECK(run.cluster.jobs.size() < kStages / 10);
    CHECK(run.cluster.polls < makespan / 2);
}
