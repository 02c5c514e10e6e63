#include "pipeline/store/quarantine.h"

#include <catch2/catch.hpp>
#include <cerrno>

#include "tests/support/faulty_file_system.h"
#include "tests/support/temp_folder.h"

using namespace satdl;
using test::file_text;
using test::TempFolder;
using test::write_text;

TEST_CASE("files in quarantine stay there when another file of the same name is damaged") {
    const TempFolder folder;
    const auto files = real_file_system();
    const auto path = folder.path() / "ends" / "key.20.h5";
    for (const char* text : {"first", "second", "third"}) {
        write_text(path, text);
        quarantine(folder.path(), *files, *files->open(path), "ends-key.20");
        CHECK_FALSE(std::filesystem::exists(path));
    }
    CHECK(files->list(folder.path() / "quarantine") == std::vector<std::string>{"ends-key.20.1.h5", "ends-key.20.2.h5", "ends-key.20.3.h5"});
    CHECK(file_text(folder.path() / "quarantine/ends-key.20.1.h5") == "first");
    CHECK(file_text(folder.path() / "quarantine/ends-key.20.3.h5") == "third");
}

TEST_CASE("a file that another process has put under the name meanwhile stays") {
    const TempFolder folder;
    const auto files = real_file_system();
    const auto path = folder.path() / "key.h5";
    write_text(path, "damaged");
    const auto damaged = files->open(path);
    write_text(folder.path() / "new", "good");
    files->rename(folder.path() / "new", path);
    quarantine(folder.path(), *files, *damaged, "key");
    CHECK(file_text(path) == "good");
    CHECK_FALSE(std::filesystem::exists(folder.path() / "quarantine"));
}

TEST_CASE("whichever call fails, nothing is thrown, and the file is in its place or in quarantine") {
    for (std::size_t call = 1; call <= 5; ++call) {
        for (const auto fault : {test::Fault::Before, test::Fault::After}) {
            const TempFolder folder;
            const auto real = real_file_system();
            test::FaultyFileSystem files(*real);
            const auto path = folder.path() / "key.h5";
            write_text(path, "damaged");
            const auto damaged = files.open(path);
            files.fail(call, EIO, 1, fault);
            CHECK_NOTHROW(quarantine(folder.path(), files, *damaged, "key"));
            CHECK(files.calls().size() >= call);
            const bool stays = std::filesystem::exists(path);
            CHECK(stays != std::filesystem::exists(folder.path() / "quarantine/key.1.h5"));
        }
    }
}
