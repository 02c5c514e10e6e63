#include "pipeline/remote/folder_transport.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <string>
#include <vector>

#include "tests/support/temp_folder.h"

using namespace satdl;
using namespace satdl::test;

namespace {

namespace fs = std::filesystem;

struct Folder {
    TempFolder folder{TempFolder::Where::Memory};
    std::unique_ptr<FileSystem> files = real_file_system();
    bool stopped = false;
    std::unique_ptr<Transport> transport = folder_transport(folder.path(), *files, [this] { return stopped; });

    Transfer put(const std::string& name, const std::string& text, bool replace = false) {
        Transfer transfer{.direction = Transfer::Direction::Put, .name = name, .body = std::as_bytes(std::span(text)), .replace = replace};
        transport->perform({&transfer, 1}, [](const Transfer&) { return true; });
        return transfer;
    }
    std::pair<TransferOutcome, std::string> get(const std::string& name, std::uint64_t max_bytes = 1000) {
        std::string text;
        Transfer transfer{.name = name,
                          .receive =
                              [&](std::span<const std::byte> bytes) {
                                  text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
                                  return true;
                              },
                          .max_bytes = max_bytes};
        transport->perform({&transfer, 1}, [](const Transfer&) { return true; });
        return {transfer.outcome, text};
    }
};

}  // namespace

TEST_CASE("what is put into a folder is got from it, and the first stays") {
    Folder folder;
    CHECK(folder.get("ac/x").first == TransferOutcome::Missing);
    CHECK(folder.put("ac/x", "first").outcome == TransferOutcome::Done);
    CHECK(folder.put("ac/x", "second").outcome == TransferOutcome::Done);
    CHECK(folder.get("ac/x") == std::pair(TransferOutcome::Done, std::string("first")));
    CHECK(folder.put("ac/x", "second", true).outcome == TransferOutcome::Done);
    CHECK(folder.get("ac/x").second == "second");
    CHECK(folder.get("ac/x", 5).first == TransferOutcome::TooLong);
    CHECK(folder.files->list(folder.folder.path() / "tmp").empty());
}

TEST_CASE("an artifact that was torn is written again, one that is whole is not") {
    Folder folder;
    CHECK(folder.put("cas/x", "whole").moved == 5);
    CHECK(folder.put("cas/x", "whole").moved == 0);
    fs::resize_file(folder.folder.path() / "cas/x", 2);
    CHECK(folder.put("cas/x", "whole").moved == 5);
    CHECK(folder.get("cas/x").second == "whole");
}

TEST_CASE("neither a link nor a pipe is read, and a folder that is gone is a failure") {
    Folder folder;
    CHECK(folder.put("ac/x", "text").outcome == TransferOutcome::Done);
    fs::create_symlink(folder.folder.path() / "ac/x", folder.folder.path() / "ac/link");
    REQUIRE(::mkfifo((folder.folder.path() / "ac/pipe").c_str(), 0600) == 0);
    CHECK(folder.get("ac/link").first == TransferOutcome::Failed);
    CHECK(folder.get("ac/pipe").first == TransferOutcome::Failed);
    const fs::path elsewhere = folder.folder.path().string() + "-moved";
    fs::rename(folder.folder.path(), elsewhere);
    CHECK(folder.get("ac/x").first == TransferOutcome::Failed);
    CHECK(folder.put("ac/y", "text").outcome == TransferOutcome::Failed);
    CHECK_FALSE(fs::exists(folder.folder.path()));  // it is not made on the local disk
    fs::rename(elsewhere, folder.folder.path());
}

TEST_CASE("nothing is begun once the user wants to stop") {
    Folder folder;
    folder.stopped = true;
    CHECK(folder.put("ac/x", "text").outcome == TransferOutcome::NotTried);
    CHECK(folder.get("ac/x").first == TransferOutcome::NotTried);
}

TEST_CASE("a folder is the user's own if nobody else can write into it or below") {
    const TempFolder folder;
    const auto path = folder.path() / "remote";
    CHECK_FALSE(is_own_folder(path));
    fs::create_directories(path / "ac");
    fs::permissions(path, fs::perms(0755));
    fs::permissions(path / "ac", fs::perms(0755));
    CHECK(is_own_folder(path));
    fs::permissions(path / "ac", fs::perms(0775));
    CHECK_FALSE(is_own_folder(path));
    fs::permissions(path / "ac", fs::perms(0700));
    fs::permissions(path, fs::perms(01777));
    CHECK_FALSE(is_own_folder(path));
}
