#include "pipeline/core/suggest.h"

#include <catch2/catch.hpp>
#include <vector>

using namespace satdl;

TEST_CASE("the nearest name is at most a third of its length away") {
    const std::vector<std::string> known{"conv", "dense", "batch_norm", "relu"};
    CHECK(nearest("cnov", known) == "conv");
    CHECK(nearest("batchnorm", known) == "batch_norm");
    CHECK(nearest("batch-norm", known) == "batch_norm");
    CHECK(nearest("ReLU", known) == "relu");
    CHECK_FALSE(nearest("lstm", known));
    CHECK_FALSE(nearest("x", known));
    CHECK_FALSE(nearest(std::string(100'000, 'x'), known));
    CHECK(did_you_mean("dens", known) == "did you mean 'dense'?");
    CHECK(did_you_mean("lstm", known) == "known: conv, dense, batch_norm, relu");
    CHECK(did_you_mean("lstm", {}).empty());
    CHECK(did_you_mean("zzzzzz", std::vector<std::string>(15, "a")) ==
          "known: a, a, a, a, a, a, a, a, a, a, a, a and 3 more");
}
