#include "pipeline/core/time_text.h"

#include <catch2/catch.hpp>

using namespace satdl;

TEST_CASE("Times are written in UTC, whatever the time zone of the machine") {
    setenv("TZ", "America/St_Johns", 1);
    tzset();
    CHECK(utc_text(0) == "1970-01-01 00:00:00 UTC");
    CHECK(utc_text(1'764'000'000) == "2025-11-24 16:00:00 UTC");
    CHECK(utc_minutes_text(1'764'000'059) == "2025-11-24 16:00 UTC");
}

TEST_CASE("A stamp has all digits of its microseconds, so that stamps sort as their times do") {
    CHECK(utc_stamp(1'764'000'000'000'042) == "20251124T160000.000042");
    CHECK(utc_stamp(1'764'000'000'999'999) < utc_stamp(1'764'000'001'000'000));
}

TEST_CASE("An age is told in its greatest unit") {
    CHECK(age_text(-5) == "now");
    CHECK(age_text(59) == "now");
    CHECK(age_text(60) == "1 minute ago");
    CHECK(age_text(7199) == "1 hour ago");
    CHECK(age_text(2 * 86400) == "2 days ago");
    CHECK(age_text(14 * 86400) == "2 weeks ago");
    CHECK(age_text(800 * 86400) == "2 years ago");
}
