#include "pipeline/os/sandbox.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <functional>

#include "pipeline/os/landlock.h"
#include "tests/support/temp_folder.h"

using namespace satdl;

namespace {

// What `inside` returns, after a child of this process has entered the sandbox.
int in_sandbox(const std::filesystem::path& only_file, const std::function<int()>& inside) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        enter_sandbox(only_file, {});
        ::_exit(inside());
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace

TEST_CASE("in the sandbox one file can be opened, and after it none") {
    const test::TempFolder folder;
    const auto mine = folder.path() / "mine", other = folder.path() / "other";
    for (const auto& path : {mine, other}) std::ofstream(path) << "text";
    CHECK(in_sandbox(mine, [&] { return ::open(mine.c_str(), O_RDONLY) == 3 ? 0 : 1; }) == 0);
    CHECK(in_sandbox(mine, [&] {
              return ::open(mine.c_str(), O_RDONLY) == 3 && ::open(other.c_str(), O_RDONLY) < 0 ? 0 : 1;
          }) == 0);
    if (landlock_version() > 0) {
        CHECK(in_sandbox(mine, [&] { return ::open(other.c_str(), O_RDONLY) < 0 && errno == EACCES ? 0 : 1; }) == 0);
        CHECK(in_sandbox(mine, [&] { return ::open(mine.c_str(), O_RDWR) < 0 && errno == EACCES ? 0 : 1; }) == 0);
        CHECK(in_sandbox(mine, [&] { return ::unlink(other.c_str()) < 0 && errno == EACCES ? 0 : 1; }) == 0);
    }
}

TEST_CASE("in the sandbox there is no environment, and an end to time and memory") {
    const test::TempFolder folder;
    const auto mine = folder.path() / "mine";
    std::ofstream(mine) << "text";
    CHECK(in_sandbox(mine, [] { return std::getenv("PATH") == nullptr ? 0 : 1; }) == 0);
    CHECK(in_sandbox(mine, [] {
              limit_cpu(1);
              while (::getppid() > 0) {
              }
              return 0;
          }) == -SIGXCPU);
#if !defined(__SANITIZE_ADDRESS__)
    CHECK(in_sandbox(mine, [] { return std::malloc(std::size_t{2} << 30) == nullptr ? 0 : 1; }) == 0);
#endif
}
