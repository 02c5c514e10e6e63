#include "pipeline/records/git_state.h"

#include <stdlib.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <fstream>
#include <thread>

#include "tests/support/temp_folder.h"

using namespace satdl;
using satdl::test::TempFolder;

namespace {

// A program of this name that PATH finds first.
class FakeGit {
public:
    explicit FakeGit(const std::string& script) : path_(getenv("PATH")) {
        const auto program = folder_.path() / "git";
        std::ofstream(program) << "#!/bin/sh\n" << script;
        std::filesystem::permissions(program, std::filesystem::perms::owner_all);
        ::setenv("PATH", (folder_.path().string() + ":" + path_).c_str(), 1);
    }
    ~FakeGit() { ::setenv("PATH", path_.c_str(), 1); }
    FakeGit(const FakeGit&) = delete;
    FakeGit& operator=(const FakeGit&) = delete;

    [[nodiscard]] const std::filesystem::path& folder() const { return folder_.path(); }
    void wait_for(const char* file) const {
        while (!std::filesystem::exists(folder_.path() / file)) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }

private:
    const std::string path_;
    TempFolder folder_;
};

const std::string kCommit = "0123456789012345678901234567890123456789";
// Of the arguments that GitQuery gives, the fifth is git's command.
const std::string kKnowsCommit = "if [ $5 = rev-parse ]; then pwd; echo " + kCommit + "; exit 0; fi\n";

constexpr double kLong = 1000;  // seconds: git ends long before

}  // namespace

TEST_CASE("git's commit and the digest of its diff") {
    const FakeGit git(kKnowsCommit + "printf 'a\\nb'");
    for (const bool with_patch : {false, true}) {
        const auto state = GitQuery(git.folder(), with_patch).finish(kLong);
        REQUIRE(state);
        CHECK(state->commit == kCommit);
        CHECK(state->root == std::filesystem::canonical(git.folder()));
        CHECK(state->diff == sha256("a\nb"));
        CHECK(state->diff_bytes == 3);
        CHECK(state->patch == (with_patch ? std::optional<std::string>("a\nb") : std::nullopt));
    }
}

TEST_CASE("a git that does not come to an end is killed: the commit stays") {
    const FakeGit git(kKnowsCommit + "touch begun; exec sleep 1000");
    GitQuery query(git.folder(), true);
    git.wait_for("begun");
    const auto state = query.finish(0);
    REQUIRE(state);
    CHECK(state->commit == kCommit);
    CHECK_FALSE(state->diff);
    CHECK_FALSE(state->patch);
}

TEST_CASE("no repository, a git that hangs, and none that is asked to finish") {
    CHECK_FALSE(GitQuery(FakeGit("exit 128").folder(), false).finish(kLong));
    const FakeGit git("touch begun; exec sleep 1000");
    GitQuery query(git.folder(), false);
    git.wait_for("begun");
    CHECK_FALSE(query.finish(0));
    const GitQuery forgotten(git.folder(), false);
}

TEST_CASE("a diff that fails has no digest") {
    const FakeGit git(kKnowsCommit + "echo half; exit 1");
    const auto state = GitQuery(git.folder(), false).finish(kLong);
    REQUIRE(state);
    CHECK_FALSE(state->diff);
}
