#include "commands/shared/array_slice.h"

#include <catch2/catch.hpp>
#include <numeric>

#include "commands/shared/tensor_statistics.h"

using namespace satdl;

namespace {

// [2, 3, 4]: 0 to 23.
Array counting() {
    std::vector<std::int64_t> values(24);
    std::iota(values.begin(), values.end(), 0);
    return Array::of<std::int64_t>({2, 3, 4}, values);
}

ArraySlice slice_of(const std::string& indices, const Array& array = counting()) {
    const auto [name, text] = split_slice("a[" + indices + "]");
    REQUIRE(text);
    return ArraySlice(array, *text);
}

std::vector<double> numbers(const std::string& indices) {
    return numbers_of(slice_of(indices).array());
}

std::string error_of(const std::string& what) {
    try {
        const auto [name, text] = split_slice(what);
        if (text) (void)ArraySlice(counting(), *text);
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

}  // namespace

// What NumPy gives for numpy.arange(24).reshape(2, 3, 4)[...].
TEST_CASE("a slice selects what NumPy selects") {
    CHECK(slice_of("0").shape() == Shape{3, 4});
    CHECK(numbers("1, 2, 3") == std::vector<double>{23});
    CHECK(slice_of("1, 2, 3").shape() == Shape{});
    CHECK(numbers("0, 1") == std::vector<double>{4, 5, 6, 7});
    CHECK(numbers("-1, -1, -2:") == std::vector<double>{22, 23});
    CHECK(numbers(":, 0, 0") == std::vector<double>{0, 12});
    CHECK(numbers("..., 0") == std::vector<double>{0, 4, 8, 12, 16, 20});
    CHECK(slice_of("..., 0").shape() == Shape{2, 3});
    CHECK(numbers("1, ..., 3") == std::vector<double>{15, 19, 23});
    CHECK(numbers("0, 0, ::2") == std::vector<double>{0, 2});
    CHECK(numbers("0, 0, ::-1") == std::vector<double>{3, 2, 1, 0});
    CHECK(numbers("0, 0, 3:0:-2") == std::vector<double>{3, 1});
    CHECK(numbers("0, 0, -9223372036854775808::9223372036854775807") == std::vector<double>{0});
    CHECK(numbers("0, 0, ::-9223372036854775808") == std::vector<double>{3});
    CHECK(slice_of("0:100, 1:2").shape() == Shape{2, 1, 4});
    CHECK(slice_of("...").array().bytes().data() != nullptr);
    CHECK(slice_of("0,").shape() == Shape{3, 4});
    CHECK(numbers(" 0 , 1 , 1 : 3 ") == std::vector<double>{5, 6});
}

TEST_CASE("brackets with a setting belong to a name") {
    CHECK(split_slice("m1[seed=1]").first == "m1[seed=1]");
    CHECK_FALSE(split_slice("m1[seed=1]/model").second);
    const auto [name, text] = split_slice("m1[seed=1]/model/w[0]");
    CHECK(name == "m1[seed=1]/model/w");
    CHECK(text->indices == "0");
}

TEST_CASE("what is no slice is an error at its place") {
    CHECK(error_of("a[2]") ==
          "WHAT:1:3: error: index 2 is out of range: axis 0 has 2 elements\n"
          "    1 | a[2]\n"
          "      |   ^\n"
          "      = from 0 to 1, or from -2 to -1");
    CHECK_THAT(error_of("a[0, -4]"), Catch::StartsWith("WHAT:1:6: error: index -4 is out of range: axis 1 has 3 elements"));
    CHECK_THAT(error_of("a[0, 5:9]"), Catch::StartsWith("WHAT:1:6: error: 5:9 selects nothing: axis 1 has 3 elements"));
    CHECK_THAT(error_of("a[0, x]"), Catch::StartsWith("WHAT:1:6: error: 'x' is no index"));
    CHECK_THAT(error_of("a[0, 1:y]"), Catch::StartsWith("WHAT:1:8: error: 'y' is no index"));
    CHECK_THAT(error_of("a[0,,1]"), Catch::StartsWith("WHAT:1:5: error: '' is no index"));
    CHECK_THAT(error_of("a[]"), Catch::StartsWith("WHAT:1:3: error: '' is no index"));
    CHECK_THAT(error_of("a[0, 0, 0, 0]"),
               Catch::StartsWith("WHAT:1:12: error: 4 indices, but the tensor has 3 axes: int64 [2, 3, 4]"));
    CHECK_THAT(error_of("a[..., ...]"), Catch::StartsWith("WHAT:1:8: error: there can be only one '...'"));
    CHECK_THAT(error_of("a[::0]"), Catch::StartsWith("WHAT:1:3: error: a slice cannot have a step of 0"));
    CHECK_THAT(error_of("a[0:1:1:1]"), Catch::StartsWith("WHAT:1:9: error: a slice has at most start:stop:step"));
    CHECK_THAT(error_of("a[99999999999999999999]"), Catch::StartsWith("WHAT:1:3: error: 99999999999999999999 is too large"));
    CHECK_THAT(error_of("a[0"), Catch::StartsWith("WHAT:1:4: error: the slice has no ']' at its end"));
    CHECK_THAT(error_of("a[0]b"), Catch::StartsWith("WHAT:1:5: error: nothing may follow the slice"));
}

TEST_CASE("statistics leave out what is not finite, and a histogram counts all the rest") {
    constexpr double kInf = std::numeric_limits<double>::infinity(), kNan = std::numeric_limits<double>::quiet_NaN();
    const std::vector<double> values{0, kNan, -1, kInf, 3, -kInf, 0, 2};
    const Statistics found = statistics_of(ArraySlice(Array::of<double>({8}, values)));
    CHECK(found.count == 8);
    CHECK(found.nan_count == 1);
    CHECK(found.inf_count == 2);
    CHECK(found.zero_count == 2);
    CHECK(found.min == -1);
    CHECK(found.max == 3);
    CHECK(found.mean == Approx(0.8));
    CHECK(found.deviation == Approx(std::sqrt((1.8 * 1.8 + 2.2 * 2.2 + 2 * 0.8 * 0.8 + 1.2 * 1.2) / 5)));
    CHECK(found.histogram.counts == std::vector<std::int64_t>{1, 0, 2, 0, 0, 0, 0, 1, 0, 1});
    CHECK(found.histogram.edges.size() == 11);
    const Statistics none = statistics_of(ArraySlice(Array::of<double>({1}, std::vector<double>{kNan})));
    CHECK(none.histogram.counts.empty());
}

TEST_CASE("few whole numbers are counted one by one") {
    const std::vector<std::uint8_t> labels{9, 7, 7, 9, 9};
    const Histogram histogram = statistics_of(ArraySlice(Array::of<std::uint8_t>({5}, labels))).histogram;
    CHECK(histogram.is_of_single_numbers());
    CHECK(histogram.edges == std::vector<double>{7, 8, 9});
    CHECK(histogram.counts == std::vector<std::int64_t>{2, 0, 3});
    const std::vector<double> extremes{-std::numeric_limits<double>::max(), std::numeric_limits<double>::max(), 0};
    const Histogram wide = statistics_of(ArraySlice(Array::of<double>({3}, extremes))).histogram;
    CHECK(wide.counts.front() == 1);
    CHECK(wide.counts.back() == 1);
    CHECK(std::accumulate(wide.counts.begin(), wide.counts.end(), std::int64_t{0}) == 3);
}
