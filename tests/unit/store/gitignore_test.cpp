#include "pipeline/store/gitignore.h"

#include <catch2/catch.hpp>
#include <cerrno>

#include "pipeline/store/layout.h"
#include "pipeline/store/open_store.h"
#include "pipeline/store/store_lock.h"
#include "tests/support/faulty_file_system.h"
#include "tests/support/temp_folder.h"

using namespace satdl;
using test::file_text;
using test::TempFolder;
using test::write_text;

namespace {

bool is_ignored(const TempFolder& folder) { return std::filesystem::exists(folder.path() / ".gitignore"); }

}  // namespace

TEST_CASE("a store that is opened to be written is kept out of Git from the start, with all that a run makes in it before anything is published") {
    const TempFolder folder;
    const auto store = folder.path() / ".satdl";
    { OpenStore looked_into(store, Access::ReadOnly); }
    CHECK_FALSE(std::filesystem::exists(store));
    OpenStore open(store, Access::ReadWrite);
    CHECK(file_text(store / ".gitignore") == "*\n");
}

TEST_CASE("a store that was made without a .gitignore gets one, whatever of a store is in it") {
    const TempFolder folder;
    for (const char* name : {"objects", "checkpoints", "ends", "runs", "tmp", "quarantine"}) std::filesystem::create_directory(folder.path() / name);
    for (const char* name : {"index.sqlite", "index.sqlite-journal", "index.sqlite.damaged-1", "index.sqlite.damaged-1-journal"}) {
        write_text(folder.path() / name, "");
    }
    const StoreLock used = StoreLock::shared(folder.path());  // makes in-use
    keep_out_of_git(folder.path(), *real_file_system());
    CHECK(file_text(folder.path() / ".gitignore") == "*\n");
    keep_out_of_git(folder.path(), *real_file_system());
}

TEST_CASE("a store in a folder with other things in it leaves Git alone, and a .gitignore of the user's stays") {
    const TempFolder shared, own;
    write_text(shared.path() / "paper.tex", "");
    keep_out_of_git(shared.path(), *real_file_system());
    CHECK_FALSE(is_ignored(shared));
    write_text(own.path() / ".gitignore", "tmp/\n");
    keep_out_of_git(own.path(), *real_file_system());
    CHECK(file_text(own.path() / ".gitignore") == "tmp/\n");
}

TEST_CASE("a .gitignore that cannot be written does not fail the run") {
    for (const std::size_t call : {1, 2}) {
        const TempFolder folder;
        const auto real = real_file_system();
        test::FaultyFileSystem files(*real);
        files.fail(call, EROFS);
        CHECK_NOTHROW(keep_out_of_git(folder.path(), files));
        CHECK_FALSE(is_ignored(folder));
    }
}

TEST_CASE("every name of a store's is known as its own, and no other") {
    for (const auto name : {store_layout::kArtifacts, store_layout::kCheckpoints, store_layout::kFinalCheckpoints, store_layout::kRuns,
                            store_layout::kStaging, store_layout::kQuarantine, store_layout::kIndex, store_layout::kLock, store_layout::kGitignore}) {
        CHECK(store_layout::is_ours(name));
    }
    for (const char* name : {"", "object", "objects.txt", "index", ".git", "paper.tex"}) CHECK_FALSE(store_layout::is_ours(name));
}
