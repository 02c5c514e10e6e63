#include "pipeline/core/metric_text.h"

#include <catch2/catch.hpp>
#include <limits>

using namespace satdl;

TEST_CASE("Metrics have four decimals, small ones an exponent") {
    CHECK(metric_text(0.97124) == "0.9712");
    CHECK(metric_text(0.0005) == "5.0000e-04");
    CHECK(metric_text(-0.0005) == "-5.0000e-04");
    CHECK(metric_text(2000) == "2000");
    CHECK(metric_text(1) == "1.0000");
    CHECK(metric_text(0) == "0");
    CHECK(metric_text(std::numeric_limits<double>::quiet_NaN()) == "nan");
    CHECK(metric_text(-std::numeric_limits<double>::infinity()) == "-inf");
}
