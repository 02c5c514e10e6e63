#include "pipeline/store/store_lock.h"

#include <catch2/catch.hpp>

#include "pipeline/core/error.h"
#include "tests/support/temp_folder.h"

using namespace satdl;
using test::TempFolder;

TEST_CASE("Several processes may share a store, and one gets it alone when the others are gone") {
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

TEST_CASE("Asking whether a store is in use creates no file") {
    const TempFolder folder;
    CHECK_FALSE(StoreLock::is_used(folder.path()));
    CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("If the lock file cannot be created, a run continues and garbage collection is refused") {
    const TempFolder folder;
    const auto missing = folder.path() / "none";
    CHECK_NOTHROW(StoreLock::shared(missing));
    CHECK_THROWS_AS(StoreLock::alone(missing), Error);
    CHECK_FALSE(StoreLock::is_used(missing));
}
