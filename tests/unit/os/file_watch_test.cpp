#include "pipeline/os/file_watch.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <fstream>
#include <functional>
#include <vector>

#include "pipeline/executors/message_channel.h"
#include "tests/support/temp_folder.h"

using namespace satdl;
using Kind = FileUse::Kind;

namespace {

// The uses of files below `folder` by `inside`, run in a child of this process that is watched; its return value must be 0.
std::vector<std::pair<Kind, std::string>> seen_in(const std::filesystem::path& folder, const std::function<int()>& inside) {
    auto [ours, theirs] = socket_pair();
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        Channel channel(std::move(theirs));
        const UniqueFd listener = watch_own_files();
        (void)channel.send(listener ? "yes" : "no", listener);
        ::_exit(inside());
    }
    theirs.close();
    std::vector<std::pair<Kind, std::string>> seen;
    Channel channel(std::move(ours));
    auto message = channel.receive();
    REQUIRE(message);
    int status = 0;
    {
        const FileWatch watch(std::move(message->file), [&](const FileUse& use) {
            if (use.path.string().starts_with(folder.string())) seen.emplace_back(use.kind, use.path.lexically_relative(folder).string());
        });
        REQUIRE(::waitpid(child, &status, 0) == child);
    }
    CHECK(status == 0);
    return seen;
}

}  // namespace

TEST_CASE("a watch sees which files a process opens, makes and removes, by whatever call, and changes nothing") {
    const test::TempFolder folder;
    std::ofstream(folder.path() / "a") << "text";
    const auto path = [&](const char* name) { return folder.path() / name; };
    const auto seen = seen_in(folder.path(), [&] {
        const bool good = ::open(path("a").c_str(), O_RDONLY) >= 0 && ::open(path("missing").c_str(), O_RDONLY) < 0 &&
                          ::open(path("b").c_str(), O_WRONLY | O_CREAT, 0600) >= 0 && ::chdir(folder.path().c_str()) == 0 &&
                          ::open("a", O_RDWR) >= 0 && ::mkdir("c", 0700) == 0 && ::rename("b", "c/b") == 0 && ::unlink("c/b") == 0;
        const int here = ::open(".", O_PATH | O_DIRECTORY);
        return good && ::openat(here, "a", O_RDONLY) >= 0 ? 0 : 1;
    });
    const std::vector<std::pair<Kind, std::string>> expected{{Kind::Read, "a"},     {Kind::Read, "missing"}, {Kind::Write, "b"},
                                                             {Kind::Write, "a"},    {Kind::MakeFolder, "c"}, {Kind::Change, "b"},
                                                             {Kind::Change, "c/b"}, {Kind::Change, "c/b"},   {Kind::Read, "a"}};
    CHECK(seen == expected);
}

TEST_CASE("a watch sees the programs that a process starts, and what they open") {
    const test::TempFolder folder;
    std::ofstream(folder.path() / "a") << "text";
    const auto seen = seen_in(folder.path(), [&] {
        std::ofstream(folder.path() / "run") << "#!/bin/sh\ncat " << (folder.path() / "a").string() << " > /dev/null\n";
        ::chmod((folder.path() / "run").c_str(), 0700);
        ::execl((folder.path() / "run").c_str(), "run", nullptr);
        return 1;
    });
    const std::vector<std::pair<Kind, std::string>> expected{
        {Kind::Write, "run"}, {Kind::Run, "run"}, {Kind::Read, "run"}, {Kind::Read, "a"}};
    CHECK(seen == expected);
}
