#include "pipeline/os/special_file.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <fstream>

#include "pipeline/os/file_error.h"
#include "pipeline/os/file_system.h"
#include "tests/support/temp_folder.h"

using namespace satdl;
using namespace satdl::test;

TEST_CASE("What is no regular file has a name, also at the end of a link, and is refused before it is opened") {
    const TempFolder folder;
    const auto path = folder.path() / "pipe", link = folder.path() / "link";
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    std::filesystem::create_symlink("pipe", link);
    CHECK(special_kind_of(path) == "a named pipe");
    CHECK(special_kind_of(link) == "a named pipe");
    CHECK(special_kind_of(folder.path()) == "a folder");
    CHECK(special_kind_of("/dev/zero") == "a device");
    CHECK_THROWS_WITH(check_is_regular(link), "cannot read '" + link.string() + "': it is a named pipe, not a file");
    CHECK_THROWS_AS(real_file_system()->open(path), FileError);
}

TEST_CASE("A socket is one") {
    const TempFolder folder;
    const auto path = folder.path() / "s";
    const int descriptor = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    REQUIRE(::bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    ::close(descriptor);
    CHECK(special_kind_of(path) == "a socket");
}

TEST_CASE("A regular file has no special kind, and an absent one is for its reader to report") {
    const TempFolder folder;
    CHECK(special_kind_of(folder.path() / "absent").empty());
    check_is_regular(folder.path() / "absent");
    std::ofstream(folder.path() / "file") << "text";
    check_is_regular(folder.path() / "file");
    CHECK(special_kind_of("/proc/self/status").empty());
}
