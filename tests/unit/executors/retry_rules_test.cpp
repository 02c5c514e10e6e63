#include "pipeline/executors/jobs/retry_rules.h"

#include <catch2/catch.hpp>

#include "tests/support/job_resources.h"

using namespace satdl;
using namespace satdl::test;

namespace {

constexpr std::uint64_t kMegabyte = 1 << 20;

}  // namespace

TEST_CASE("After a lack of memory a stage gets half as much again, twice") {
    JobHistory history;
    JobResources resources = with_memory(1000 * kMegabyte);
    for (const std::uint64_t megabytes : {1500, 2250}) {
        const auto next = next_job(JobFailure::Memory, resources, 0, history);
        REQUIRE(std::holds_alternative<NextJob>(next));
        resources = std::get<NextJob>(next).resources;
        CHECK(resources.memory_bytes == megabytes * kMegabyte);
    }
    const auto last = next_job(JobFailure::Memory, resources, 0, history);
    CHECK(std::get<NoMoreJobs>(last).because == "it ran out of memory 3 times, the last time with 2.197 GB");
}

TEST_CASE("Undeclared memory grows from what the stage was seen to use, or not at all") {
    JobHistory history;
    CHECK(std::get<NextJob>(next_job(JobFailure::Memory, {}, 100 * kMegabyte, history)).resources.memory_bytes == 150 * kMegabyte);
    CHECK(std::holds_alternative<NoMoreJobs>(next_job(JobFailure::Memory, {}, 0, history)));
}

TEST_CASE("A stage whose time is up gets twice as much once, and with a new checkpoint as many jobs as it takes") {
    JobHistory history;
    for (int i = 0; i < 100; ++i) CHECK(std::holds_alternative<NextJob>(next_job(JobFailure::Continued, with_seconds(60), 0, history)));
    CHECK(std::get<NextJob>(next_job(JobFailure::Time, with_seconds(60), 0, history)).resources.seconds == 120);
    CHECK(std::holds_alternative<NoMoreJobs>(next_job(JobFailure::Time, with_seconds(120), 0, history)));
}

TEST_CASE("Failures of the infrastructure are tried again five times, ever later") {
    JobHistory history;
    for (const double delay : {5, 10, 20, 40, 80})
        CHECK(std::get<NextJob>(next_job(JobFailure::Infrastructure, {}, 0, history)).delay_seconds == delay);
    CHECK(std::holds_alternative<NoMoreJobs>(next_job(JobFailure::Infrastructure, {}, 0, history)));
    CHECK(back_off_seconds(1000, 5, 300) == 300);
}

TEST_CASE("A stage that failed or was cancelled gets no other job, an invisible artifact one") {
    JobHistory history;
    CHECK(std::holds_alternative<NoMoreJobs>(next_job(JobFailure::Stage, {}, 0, history)));
    CHECK(std::holds_alternative<NoMoreJobs>(next_job(JobFailure::Cancelled, {}, 0, history)));
    CHECK(std::holds_alternative<NextJob>(next_job(JobFailure::Invisible, {}, 0, history)));
    CHECK(std::holds_alternative<NoMoreJobs>(next_job(JobFailure::Invisible, {}, 0, history)));
}
