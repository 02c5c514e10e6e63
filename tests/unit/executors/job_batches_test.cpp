#include "pipeline/executors/jobs/job_batches.h"

#include <catch2/catch.hpp>

#include "tests/support/job_resources.h"

using namespace satdl;
using namespace satdl::test;

namespace {

void add(BatchPool& pool, NodeId node, std::optional<double> seconds, JobResources resources = {}) {
    pool.add({.stage = {.node = node, .name = "s@" + std::to_string(node), .key = {}, .resources = std::move(resources),
                        .expected_seconds = seconds}});
}

std::vector<std::size_t> sizes(const std::vector<JobBatch>& batches) {
    std::vector<std::size_t> all;
    for (const JobBatch& batch : batches) all.push_back(batch.nodes.size());
    return all;
}

}  // namespace

TEST_CASE("A long stage has a job of its own, short ones share one until it takes ten minutes") {
    BatchPool pool;
    add(pool, 0, 3600);
    for (NodeId node = 1; node <= 25; ++node) add(pool, node, 60);
    add(pool, 26, 300);
    CHECK(sizes(pool.take(100)) == std::vector<std::size_t>{1, 10, 10, 1, 5});
    CHECK(pool.empty());
}

TEST_CASE("Stages of which nothing is known share jobs only if there are many") {
    BatchPool pool;
    for (NodeId node = 0; node < 100; ++node) add(pool, node, std::nullopt);
    CHECK(pool.take(1000).size() == 100);
    for (NodeId node = 0; node < 1000; ++node) add(pool, node, std::nullopt);
    const auto batches = pool.take(1000);
    CHECK(batches.size() == 125);
    CHECK(batches.front().nodes.size() == 8);
}

TEST_CASE("What stages of a name took is what the others of that name are expected to take") {
    BatchPool pool;
    pool.learn("s@1", 1);
    for (NodeId node = 0; node < 1000; ++node) add(pool, node, std::nullopt);
    CHECK(sizes(pool.take(1000)) == std::vector<std::size_t>{600, 400});
}

TEST_CASE("Only stages with equal resources share a job, and those that waited the longest come first") {
    BatchPool pool;
    add(pool, 0, 1, with_cpus(2));
    add(pool, 1, 1, with_cpus(4));
    add(pool, 2, 1, with_cpus(2));
    const auto first = pool.take(10), second = pool.take(10);
    REQUIRE(first.size() == 1);
    CHECK(first[0].nodes == std::vector<NodeId>{0, 2});
    CHECK(first[0].resources.cpus == 2);
    CHECK(second.at(0).nodes == std::vector<NodeId>{1});
    CHECK(pool.take(10).empty());
}

TEST_CASE("Never more jobs than asked for, and the rest waits") {
    for (std::size_t jobs = 1; jobs < 6; ++jobs) {
        BatchPool pool;
        for (NodeId node = 0; node < 40; ++node) add(pool, node, node % 3 == 0 ? 1000 : 100);
        std::size_t nodes = 0;
        while (!pool.empty()) {
            const auto batches = pool.take(jobs);
            CHECK(batches.size() <= jobs);
            CHECK_FALSE(batches.empty());
            for (const JobBatch& batch : batches) nodes += batch.nodes.size();
        }
        CHECK(nodes == 40);
    }
}

TEST_CASE("The jobs of an array have equal limits of time, long enough for each of them") {
    BatchPool pool;
    for (NodeId node = 0; node < 12; ++node) add(pool, node, 60, with_seconds(120));
    add(pool, 12, 400, with_seconds(120));
    const auto batches = pool.take(10);
    REQUIRE(sizes(batches) == std::vector<std::size_t>{10, 1, 2});
    for (const JobBatch& batch : batches) CHECK(batch.resources.seconds == 120 + 1.5 * 600);
}
