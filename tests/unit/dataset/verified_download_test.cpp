#include "pipeline/dataset/verified_download.h"

#include <catch2/catch.hpp>
#include <fstream>

#include "tests/support/temp_folder.h"

using namespace satdl;
using test::TempFolder;
namespace fs = std::filesystem;

namespace {

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

}  // namespace

TEST_CASE("a folder of incoming files is removed with its owner, and by no other owner before") {
    const TempFolder folder;
    fs::path first;
    {
        const DownloadFolder living(folder.path());
        first = living.path();
        std::ofstream(first / "part") << "half";
        const DownloadFolder other(folder.path());
        CHECK(other.path() != first);
        CHECK(fs::exists(first / "part"));
    }
    CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("leftovers of a dead process are removed, and other files are not touched") {
    const TempFolder folder;
    fs::create_directories(folder.path() / ".tmp-dead" / "deep");
    std::ofstream(folder.path() / ".tmp-file") << "a file of the user's";
    std::ofstream(folder.path() / "data") << "x";
    const DownloadFolder incoming(folder.path());
    CHECK_FALSE(fs::exists(folder.path() / ".tmp-dead"));
    CHECK(fs::exists(folder.path() / ".tmp-file"));
    CHECK(fs::exists(folder.path() / "data"));
}

TEST_CASE("an incoming file takes its digest on the way and appears only when it is published") {
    const TempFolder folder;
    const DownloadFolder incoming(folder.path());
    const auto files = real_file_system();
    std::uint64_t told = 0;
    VerifiedDownload file(incoming.path() / "a", 6, [&](std::uint64_t done) { told = done; });
    CHECK(file.append(bytes_of("abc")));
    CHECK(file.append(bytes_of("def")));
    CHECK_FALSE(file.append(bytes_of("g")));
    CHECK(told == 6);
    CHECK(file.bytes() == 6);
    CHECK(file.digest() == sha256(std::string_view("abcdef")));
    CHECK_FALSE(fs::exists(folder.path() / "a"));
    file.publish(*files, folder.path() / "a");
    CHECK(fs::file_size(folder.path() / "a") == 6);
}
