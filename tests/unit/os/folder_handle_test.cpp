#include "pipeline/os/folder_handle.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <catch2/catch.hpp>

#include "pipeline/os/file_error.h"
#include "tests/support/temp_folder.h"

using namespace satdl;
using satdl::test::TempFolder;
using satdl::test::write_text;
namespace fs = std::filesystem;

TEST_CASE("a folder handle has the regular files of its folder, and follows no link") {
    const TempFolder outside, inside;
    write_text(outside.path() / "secret", "secret");
    write_text(inside.path() / "a", "four");
    write_text(inside.path() / "sub/b", "b");
    fs::create_symlink(outside.path() / "secret", inside.path() / "link");
    fs::create_symlink(outside.path(), inside.path() / "linked");
    REQUIRE(::mkfifo((inside.path() / "pipe").c_str(), 0600) == 0);
    const FolderHandle folder = FolderHandle::open(inside.path());

    const auto files = folder.files();
    REQUIRE(files.size() == 1);
    CHECK(files[0].name == "a");
    CHECK(files[0].bytes == 4);
    CHECK(folder.read("a", 100) == "four");
    CHECK(folder.read("a", 2) == "fo");
    for (const char* name : {"link", "linked", "pipe", "sub", "absent"}) {
        CHECK_FALSE(folder.read(name, 100));
        CHECK_FALSE(folder.file(name));
    }
    for (const char* name : {"linked", "a", "absent"}) CHECK_FALSE(folder.folder(name));
    CHECK(folder.folder("sub")->files().size() == 1);
    CHECK_THROWS_AS(FolderHandle::open(inside.path() / "absent"), FileError);
}

TEST_CASE("a folder handle stays in its folder when the folder's name leads elsewhere") {
    const TempFolder root;
    write_text(root.path() / "cas/a", "ours");
    write_text(root.path() / "elsewhere/a", "theirs");
    const auto folder = FolderHandle::open(root.path()).folder("cas");
    REQUIRE(folder);
    fs::rename(root.path() / "cas", root.path() / "moved");
    fs::create_symlink("elsewhere", root.path() / "cas");
    CHECK(folder->remove("a"));
    CHECK_FALSE(folder->remove("a"));
    CHECK(fs::exists(root.path() / "elsewhere/a"));
    CHECK_FALSE(fs::exists(root.path() / "moved/a"));
}

TEST_CASE("reading by a folder handle leaves the time of the last use as it was") {
    const TempFolder root;
    write_text(root.path() / "a", "text");
    const timespec long_ago[2] = {{.tv_sec = 1'000'000'000, .tv_nsec = 0}, {.tv_sec = 1'000'000'000, .tv_nsec = 0}};
    REQUIRE(::utimensat(AT_FDCWD, (root.path() / "a").c_str(), long_ago, 0) == 0);
    const FolderHandle folder = FolderHandle::open(root.path());
    CHECK(folder.read("a", 100) == "text");
    CHECK(folder.file("a")->read == 1'000'000'000);
    CHECK(folder.file("a")->written == 1'000'000'000);
}
