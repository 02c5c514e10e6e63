#include "pipeline/core/reshape.h"

#include <catch2/catch.hpp>
#include <vector>

using namespace satdl;

namespace {

Shape shape_of(const Shape& shape, const std::vector<double>& entry) { return std::get<Shape>(reshaped(shape, entry)); }
std::string reason(const Shape& shape, const std::vector<double>& entry) { return std::get<CannotReshape>(reshaped(shape, entry)).because; }

}  // namespace

TEST_CASE("entries take another shape, and their number stays") {
    CHECK(shape_of({5, 784}, {1, 28, 28}) == Shape{5, 1, 28, 28});
    CHECK(shape_of({5, 28, 28}, {784}) == Shape{5, 784});
    CHECK(shape_of({5, 1}, {}) == Shape{5});
    CHECK(shape_of({5}, {1}) == Shape{5, 1});
    CHECK(shape_of({-1, 4}, {2, 2}) == Shape{-1, 2, 2});
}

TEST_CASE("entries with another number of elements, and what is no extent, are refused with the reason") {
    CHECK(reason({5, 784}, {1, 28, 29}) == "its entries have 784 elements (shape [784]), not 812 (shape [1, 28, 29])");
    CHECK(reason({5, 784}, {5, 1, 28, 28}) == "its entries have 784 elements (shape [784]), not 3920 (shape [5, 1, 28, 28])");
    CHECK(reason({5, 4}, {-1, 4}) == "-1 is not an extent");
    CHECK(reason({5, 4}, {1.5, 4}) == "1.5 is not an extent");
    CHECK(reason({5, 4}, {1e300}) == "1e+300 is not an extent");
    CHECK(reason({5, 4}, {9e15, 9e15}) ==
          "its entries have 4 elements (shape [4]), not more than 2^63 (shape [9000000000000000, 9000000000000000])");
    CHECK(reason({}, {1}) == "a scalar has no entries");
}
