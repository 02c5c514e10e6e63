#include "pipeline/remote/breaker.h"

#include <catch2/catch.hpp>

using namespace satdl;

TEST_CASE("three failures in a row open the breaker for a minute, one more for another") {
    double now = 1000;
    Breaker breaker([&] { return now; });
    breaker.failed();
    breaker.failed();
    breaker.answered();
    breaker.failed();
    breaker.failed();
    CHECK(breaker.allows());
    breaker.failed();
    CHECK_FALSE(breaker.allows());
    now += 59.9;
    CHECK_FALSE(breaker.allows());
    now += 0.1;
    CHECK(breaker.allows());
    breaker.failed();
    CHECK_FALSE(breaker.allows());
    now += 60;
    CHECK(breaker.allows());
    breaker.answered();
    breaker.failed();
    breaker.failed();
    CHECK(breaker.allows());
}
