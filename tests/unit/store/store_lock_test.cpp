#include "pipeline/store/store_lock.h"

#include <catch2/catch.hpp>

#include "pipeline/core/error.h"
#include "tests/support/temp_folder.h"

using namespace satdl;
using test::TempFolder;

TEST_CASE("Several may share a store, and who wants it alone gets it when they are gone") {
    const TempFolder folder;
    {
        const StoreLock one = StoreLock::shared(folder.path());
        const StoreLock another = StoreLock::shared(folder.path());
        CHECK_FALSE(StoreLock::alone(folder.path()));
        CHECK(StoreLock::is_used(folder.path()));
    }
    CHECK_FALSE(StoreLock::is_used(folder.path()));
    const auto alone = StoreLock::alone(folder.path());
    CHECK(alone);
    CHECK_FALSE(StoreLock::alone(folder.path()));
}

TEST_CASE("Who asks whether a store is used leaves nothing in it") {
    const TempFolder folder;
    CHECK_FALSE(StoreLock::is_used(folder.path()));
    CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("Where the file cannot be made, a run goes on and a collection is refused") {
    const TempFolder folder;
    const auto missing = folder.path() / "none";
    CHECK_NOTHROW(StoreLock::shared(missing));
    CHECK_THROWS_AS(StoreLock::alone(missing), Error);
    CHECK_FALSE(StoreLock::is_used(missing));
}
