#include "pipeline/os/shared_library.h"

#include <catch2/catch.hpp>

#include "pipeline/core/error.h"
#include "tests/support/temp_folder.h"

using namespace satdl;

TEST_CASE("a library that does not exist or is not one is refused by name") {
    const test::TempFolder folder;
    CHECK_THROWS_WITH(SharedLibrary(folder.path() / "libabsent.so"), Catch::Contains("libabsent.so"));
    test::write_text(folder.path() / "libgarbage.so", "this is not ELF");
    CHECK_THROWS_AS(SharedLibrary(folder.path() / "libgarbage.so"), Error);
}

TEST_CASE("the programs lie where they were built") {
    CHECK(std::filesystem::exists(program_folder() / "shared_library_test"));
}
