#include "pipeline/executors/shared_arrays.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "pipeline/core/error.h"

using namespace satdl;
using Catch::Matchers::Contains;

namespace {

Groups some() {
    return {{"image", {{"", Array::of<float>({2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6})}}},
            {"model", {{"bias", Array::of<double>({1}, std::vector{0.5})}, {"none", Array::of<double>({0, 7}, std::vector<double>{})}}},
            {"nothing", {}}};
}

}  // namespace

TEST_CASE("Arrays come out as they went in, with their types, shapes and digests") {
    const Groups before = some();
    const Groups after = mapped(share(before));
    REQUIRE(after.size() == before.size());
    for (const auto& [port, group] : before) {
        REQUIRE(after.at(port).size() == group.size());
        for (const auto& [name, array] : group) {
            CHECK(after.at(port).at(name).digest() == array.digest());
            CHECK(after.at(port).at(name).shape() == array.shape());
        }
    }
    CHECK(mapped(share({})).empty());
}

TEST_CASE("What was shared can be neither changed nor cut short") {
    const SharedGroups shared = share(some());
    CHECK(::pwrite(shared.file.get(), "x", 1, 0) < 0);
    CHECK(::ftruncate(shared.file.get(), 0) < 0);
}

TEST_CASE("Shared memory that contradicts its description is refused") {
    SharedGroups shared = share(some());
    SECTION("another digest") {
        shared.arrays[0].digest = shared.arrays[1].digest;
        CHECK_THROWS_WITH(mapped(shared), Contains("does not match its digest"));
    }
    SECTION("beyond the file") {
        shared.arrays[0].shape = {1 << 20};
        CHECK_THROWS_WITH(mapped(shared), Contains("beyond its file"));
        shared.arrays[0].shape = {std::int64_t{1} << 61};
        CHECK_THROWS_WITH(mapped(shared), Contains("beyond its file"));
    }
    SECTION("twice") {
        shared.arrays.push_back(shared.arrays[0]);
        CHECK_THROWS_WITH(mapped(shared), Contains("was sent twice"));
    }
    SECTION("a file that may still change") {
        shared.file = UniqueFd(::memfd_create("open", MFD_CLOEXEC | MFD_ALLOW_SEALING));
        CHECK_THROWS_WITH(mapped(shared), Contains("not sealed"));
    }
    SECTION("no file at all") {
        shared.file.close();
        CHECK_THROWS_WITH(mapped(shared), Contains("not sealed"));
    }
}
