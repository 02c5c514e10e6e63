#include "pipeline/run/live_outputs.h"

#include <catch2/catch.hpp>

#include "pipeline/os/large_arrays.h"
#include "tests/support/temp_folder.h"
#include "tests/support/tiny_stages.h"

using namespace satdl;

namespace {

LiveOutput three_numbers() { return std::make_shared<const StageOutput>(StageOutput{{{"out", test::as_group({1, 2, 3})}}, {}}); }

}  // namespace

TEST_CASE("An output is held in memory until its last consumer is done and it is written, in either order") {
    LiveOutputs held({2});
    LiveOutput outcome = three_numbers();
    const std::weak_ptr<const StageOutput> watched = outcome;
    held.put_computed(0, std::move(outcome));
    CHECK(held.bytes() == 24);
    held.user_done(0);
    SECTION("written last") {
        held.user_done(0);
        CHECK_FALSE(watched.expired());
        held.written(0);
    }
    SECTION("used last") {
        held.written(0);
        CHECK_FALSE(watched.expired());
        CHECK(held.find(0) != nullptr);
        held.user_done(0);
    }
    CHECK(watched.expired());
    CHECK(held.find(0) == nullptr);
    CHECK(held.bytes() == 0);
}

TEST_CASE("A loaded artifact is held for its remaining consumers and does not count as used memory") {
    LiveOutputs held({1, 0});
    held.put_loaded(0, three_numbers());
    held.put_loaded(1, three_numbers());
    CHECK(held.find(0) != nullptr);
    CHECK(held.find(1) == nullptr);
    CHECK(held.bytes() == 0);
    held.user_done(0);
    CHECK(held.find(0) == nullptr);
}

TEST_CASE("An output without consumers is freed when it is written") {
    LiveOutputs held({0});
    held.put_computed(0, three_numbers());
    CHECK(held.find(0) != nullptr);
    held.written(0);
    CHECK(held.find(0) == nullptr);
}

TEST_CASE("An array in a file takes no memory, whoever made it") {
    const test::TempFolder folder;
    LargeArrays arrays(folder.path(), 16 * kLargeArrayBytes);
    const auto bytes = arrays.allocate(kLargeArrayBytes);
    REQUIRE(bytes != nullptr);
    const Array array(DType::UInt8, {kLargeArrayBytes}, {bytes.get(), kLargeArrayBytes}, bytes);
    const std::uint8_t small = 1;
    LiveOutputs held({1});
    held.put_computed(0, std::make_shared<const StageOutput>(
                             StageOutput{{{"large", {{"", array}}}, {"small", {{"", Array::of<std::uint8_t>({1}, {&small, 1})}}}}, {}}));
    CHECK(held.bytes() == 1);
    CHECK(held.bytes(0) == 1);
}
