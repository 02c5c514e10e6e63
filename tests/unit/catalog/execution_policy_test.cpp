#include "pipeline/catalog/execution_policy.h"

#include <catch2/catch.hpp>

using namespace satdl;

TEST_CASE("A time is a number and its unit, and nothing else") {
    CHECK(seconds_from_text("90s") == 90);
    CHECK(seconds_from_text("1.5h") == 5400);
    CHECK(seconds_from_text("250ms") == 0.25);
    CHECK(seconds_from_text("2m") == 120);
    CHECK(seconds_from_text("0s") == 0);
    for (const char* wrong : {"", "90", "s", "90 s", "1h30m", "-1s", "1e999h", "010s", ".5s", "90S", "infs", "90sec"}) {
        CAPTURE(wrong);
        CHECK_FALSE(seconds_from_text(wrong));
    }
}

TEST_CASE("An amount of memory is a number and its unit, in powers of 1024") {
    CHECK(bytes_from_text("4GB") == std::uint64_t{4} << 30);
    CHECK(bytes_from_text("512MB") == std::uint64_t{512} << 20);
    CHECK(bytes_from_text("1.5kB") == 1536);
    CHECK(bytes_from_text("7B") == 7);
    for (const char* wrong : {"", "4", "GB", "4 GB", "4gb", "-4GB", "1e30TB", "4GiB"}) {
        CAPTURE(wrong);
        CHECK_FALSE(bytes_from_text(wrong));
    }
    for (const char* text : {"4 GB", "512 MB", "1.5 kB", "7 B", "0 B"}) {
        std::string joined = text;
        std::erase(joined, ' ');
        CHECK(memory_text(*bytes_from_text(joined)) == text);
    }
}

TEST_CASE("A process has a tenth of its timeout to stop, from a second to half a minute") {
    const auto grace = [](double seconds) {
        ExecutionPolicy policy;
        policy.timeout_seconds = seconds;
        return policy.grace_seconds();
    };
    CHECK(grace(0.5) == 1);
    CHECK(grace(90) == 9);
    CHECK(grace(86400) == 30);
}
