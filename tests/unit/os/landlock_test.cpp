#include "pipeline/os/landlock.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>

#include "tests/support/temp_folder.h"

using namespace satdl;
using Allow = LandlockRules::Allow;

namespace {

// What `inside` returns, in a child of this process that has entered the rules.
int under(const LandlockRules& rules, const std::function<int()>& inside) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        rules.enter();
        ::_exit(inside());
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

// 0, or errno.
int opened(const std::filesystem::path& path, int flags) { return ::open(path.c_str(), flags, 0600) >= 0 ? 0 : errno; }

}  // namespace

TEST_CASE("Landlock's rules allow what they name and deny everything else with files") {
    if (landlock_version() < kLandlockWithMoves) return;
    const test::TempFolder folder;
    const auto readable = folder.path() / "readable", own = folder.path() / "own";
    for (const auto& one : {readable, own, own / "a", own / "b"}) std::filesystem::create_directory(one);
    for (const auto& path : {readable / "in", folder.path() / "file", folder.path() / "other", own / "a" / "moved"})
        std::ofstream(path) << "text";
    LandlockRules rules(LandlockRules::Denies::Files);
    CHECK(rules.allow(readable, Allow::Read));
    CHECK(rules.allow(folder.path() / "file", Allow::Read));
    CHECK(rules.allow(own, Allow::Write));
    CHECK_FALSE(rules.allow(folder.path() / "absent", Allow::Read));

    CHECK(under(rules, [&] { return opened(readable / "in", O_RDONLY); }) == 0);
    CHECK(under(rules, [&] { return opened(readable, O_RDONLY | O_DIRECTORY); }) == 0);
    CHECK(under(rules, [&] { return opened(folder.path() / "file", O_RDONLY); }) == 0);
    CHECK(under(rules, [&] { return opened(own / "new", O_WRONLY | O_CREAT); }) == 0);
    CHECK(under(rules, [&] { return std::rename((own / "a/moved").c_str(), (own / "b/moved").c_str()); }) == 0);

    CHECK(under(rules, [&] { return opened(folder.path() / "other", O_RDONLY); }) == EACCES);
    CHECK(under(rules, [&] { return opened(folder.path(), O_RDONLY | O_DIRECTORY); }) == EACCES);
    CHECK(under(rules, [&] { return opened(folder.path() / "file", O_RDWR); }) == EACCES);
    CHECK(under(rules, [&] { return opened(readable / "new", O_WRONLY | O_CREAT); }) == EACCES);
    CHECK(under(rules, [&] { return ::mkdir((folder.path() / "made").c_str(), 0700) == 0 ? 0 : errno; }) == EACCES);
    CHECK(under(rules, [&] { return ::unlink((readable / "in").c_str()) == 0 ? 0 : errno; }) == EACCES);
}
