#include "pipeline/os/file_system.h"

#include <catch2/catch.hpp>
#include <sys/stat.h>

#include <cerrno>
#include <thread>

#include "tests/support/temp_folder.h"

using namespace satdl;
using test::file_text;
using test::TempFolder;
using test::write_text;

namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text));
}

int error_number(const std::function<void()>& call) {
    try {
        call();
    } catch (const FileError& error) {
        return error.number();
    }
    return 0;
}

}  // namespace

TEST_CASE("a new file has its extents, zeros between them, and cannot be written again") {
    const TempFolder folder;
    const auto files = real_file_system();
    const auto path = folder.path() / "new";
    const std::vector<Extent> extents{{8, bytes_of("tail")}, {1, bytes_of("ab")}};
    files->write_new(path, 14, extents);
    CHECK(file_text(path) == std::string("\0ab\0\0\0\0\0tail\0\0", 14));
    CHECK((std::filesystem::status(path).permissions() & std::filesystem::perms::mask) == std::filesystem::perms(0444));
    CHECK(error_number([&] { files->write_new(path, 14, extents); }) == EEXIST);
    CHECK(file_text(path).size() == 14);
}

TEST_CASE("of many files that are written at once each is whole, and one that fails costs no other") {
    const TempFolder folder;
    const auto files = real_file_system();
    constexpr std::size_t kFiles = 50, kTaken = 17;
    const std::vector<Extent> extents{{1, bytes_of("ab")}};
    std::vector<NewFile> group;
    for (std::size_t i = 0; i < kFiles; ++i) group.push_back({folder.path() / std::to_string(i), 4, extents});
    files->write_new(group[kTaken].path, 0, {});
    const Failures failures = files->write_all_new(group);
    REQUIRE(failures.size() == kFiles);
    for (std::size_t i = 0; i < kFiles; ++i) {
        CHECK((failures[i] == nullptr) == (i != kTaken));
        CHECK(file_text(group[i].path) == (i == kTaken ? std::string() : std::string("\0ab\0", 4)));
    }
    CHECK(error_number([&] { std::rethrow_exception(failures[kTaken]); }) == EEXIST);
    CHECK(files->write_all_new({}).empty());
}

TEST_CASE("of many folders that are synced at once, one that fails costs no other") {
    const TempFolder folder;
    const auto files = real_file_system();
    const std::vector<std::filesystem::path> folders{folder.path(), folder.path() / "absent", folder.path()};
    const Failures failures = files->sync_folders(folders);
    REQUIRE(failures.size() == 3);
    CHECK((failures[0] == nullptr && failures[2] == nullptr));
    CHECK(error_number([&] { std::rethrow_exception(failures[1]); }) == ENOENT);
}

TEST_CASE("an empty file can be written, read and mapped") {
    const TempFolder folder;
    const auto files = real_file_system();
    files->write_new(folder.path() / "empty", 0, {});
    CHECK(files->read(folder.path() / "empty", 0, 10).empty());
    CHECK(files->map(folder.path() / "empty").bytes.empty());
}

TEST_CASE("a file that cannot be finished leaves nothing") {
    const TempFolder folder;
    const auto files = real_file_system();
    const auto path = folder.path() / "huge";
    const int number = error_number([&] { files->write_new(path, std::uint64_t{1} << 62, {}); });
    CHECK((number == ENOSPC || number == EFBIG));
    CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("a file error says what to do") {
    const FileError error(ENOSPC, "write 4096 more bytes to", "/store/tmp/x");
    CHECK(error.code() == ExitCode::Store);
    CHECK_THAT(error.what(), Catch::Contains("cannot write 4096 more bytes to '/store/tmp/x'"));
    CHECK_THAT(error.what(), Catch::Contains("free some space"));
}

TEST_CASE("reading gives the bytes asked for, fewer at the end, none beyond it") {
    const TempFolder folder;
    const auto files = real_file_system();
    write_text(folder.path() / "text", "0123456789");
    CHECK(files->read(folder.path() / "text", 3, 4) == "3456");
    CHECK(files->read(folder.path() / "text", 8, 4) == "89");
    CHECK(files->read(folder.path() / "text", 11, 4).empty());
    CHECK(error_number([&] { (void)files->read(folder.path() / "absent", 0, 1); }) == ENOENT);
}

TEST_CASE("an open file stays the same one, whatever is put under its name") {
    const TempFolder folder;
    const auto files = real_file_system();
    const auto path = folder.path() / "text";
    write_text(path, "old text");
    const FileStamp before = *files->stamp(path);
    const auto file = files->open(path);
    write_text(folder.path() / "new", "new");
    files->rename(folder.path() / "new", path);
    CHECK(file->path() == path);
    CHECK(file->read(0, 100) == "old text");
    CHECK(file->read(4, 2) == "te");
    CHECK(file->stamp().inode == before.inode);
    const MappedFile mapped = file->map();
    CHECK(mapped.bytes.size() == 8);
    CHECK(mapped.stamp == file->stamp());
    CHECK(files->stamp(path)->inode != before.inode);
    CHECK(files->read(path, 0, 100) == "new");
    CHECK(error_number([&] { (void)files->open(folder.path() / "absent"); }) == ENOENT);
}

TEST_CASE("a mapping outlives the file's name and ends with its owner") {
    const TempFolder folder;
    const auto files = real_file_system();
    write_text(folder.path() / "text", "mapped");
    const MappedFile file = files->map(folder.path() / "text");
    files->remove(folder.path() / "text");
    CHECK(std::string(reinterpret_cast<const char*>(file.bytes.data()), file.bytes.size()) == "mapped");
    CHECK(file.owner != nullptr);
}

TEST_CASE("identities tell one version of a file from another") {
    const TempFolder folder;
    const auto files = real_file_system();
    const auto path = folder.path() / "text";
    CHECK_FALSE(files->stamp(path));
    CHECK_FALSE(files->stamp(path / "below"));
    write_text(path, "one");
    const auto first = files->stamp(path);
    REQUIRE(first);
    CHECK(first->bytes == 3);
    CHECK(files->stamp(path) == first);
    CHECK_FALSE(files->stamp(path / "below a file"));
    write_text(path, "four");
    CHECK(files->stamp(path) != first);
}

TEST_CASE("the first writer wins: a name that is taken stays as it is") {
    const TempFolder folder;
    const auto files = real_file_system();
    write_text(folder.path() / "a", "a");
    write_text(folder.path() / "b", "b");
    CHECK(files->link_new(folder.path() / "a", folder.path() / "name") == LinkResult::Linked);
    CHECK(files->link_new(folder.path() / "b", folder.path() / "name") == LinkResult::AlreadyThere);
    CHECK(file_text(folder.path() / "name") == "a");
    // It is that very file already.
    CHECK(files->link_new(folder.path() / "a", folder.path() / "name") == LinkResult::Linked);
    CHECK(error_number([&] { (void)files->link_new(folder.path() / "absent", folder.path() / "other"); }) == ENOENT);
}

TEST_CASE("of many that link at once exactly one wins") {
    const TempFolder folder;
    const auto files = real_file_system();
    std::atomic<int> winners{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
        const auto from = folder.path() / std::to_string(i);
        write_text(from, std::to_string(i));
        threads.emplace_back([&files, &folder, &winners, from] {
            if (files->link_new(from, folder.path() / "name") == LinkResult::Linked) ++winners;
        });
    }
    for (auto& thread : threads) thread.join();
    CHECK(winners == 1);
}

TEST_CASE("removing what is absent is fine, removing a folder is not") {
    const TempFolder folder;
    const auto files = real_file_system();
    files->remove(folder.path() / "absent");
    CHECK(error_number([&] { files->remove(folder.path()); }) != 0);
}

TEST_CASE("renaming replaces") {
    const TempFolder folder;
    const auto files = real_file_system();
    write_text(folder.path() / "a", "a");
    write_text(folder.path() / "b", "b");
    files->rename(folder.path() / "a", folder.path() / "b");
    CHECK(file_text(folder.path() / "b") == "a");
    CHECK(files->list(folder.path()) == std::vector<std::string>{"b"});
    CHECK(error_number([&] { files->rename(folder.path() / "a", folder.path() / "b"); }) == ENOENT);
}

TEST_CASE("folders are made with their parents, again without harm, never over a file") {
    const TempFolder folder;
    const auto files = real_file_system();
    files->make_folders(folder.path() / "a" / "b" / "c");
    files->make_folders(folder.path() / "a" / "b" / "c");
    files->sync_folder(folder.path() / "a" / "b");
    CHECK(std::filesystem::is_directory(folder.path() / "a" / "b" / "c"));
    write_text(folder.path() / "file", "");
    CHECK(error_number([&] { files->make_folders(folder.path() / "file"); }) == ENOTDIR);
    CHECK(error_number([&] { files->make_folders(folder.path() / "file" / "below"); }) == ENOTDIR);
}

TEST_CASE("a folder is listed in order, and an absent one is empty") {
    const TempFolder folder;
    const auto files = real_file_system();
    for (const char* name : {"b", "a", ".hidden"}) write_text(folder.path() / name, "");
    CHECK(files->list(folder.path()) == std::vector<std::string>{".hidden", "a", "b"});
    CHECK(files->list(folder.path() / "absent").empty());
    CHECK(error_number([&] { (void)files->list(folder.path() / "a"); }) == ENOTDIR);
}

TEST_CASE("appending makes the file and adds to its end") {
    const TempFolder folder;
    const auto files = real_file_system();
    files->append(folder.path() / "log", "one\n", true);
    files->append(folder.path() / "log", "two\n", false);
    CHECK(file_text(folder.path() / "log") == "one\ntwo\n");
}

TEST_CASE("a link points to its last target, and no temporary file remains") {
    const TempFolder folder;
    const auto files = real_file_system();
    const auto link = folder.path() / "link";
    files->point_link("first", link);
    files->point_link("first", link);
    CHECK(std::filesystem::read_symlink(link) == "first");
    files->point_link("second", link);
    CHECK(std::filesystem::read_symlink(link) == "second");
    CHECK(files->list(folder.path()) == std::vector<std::string>{"link"});
}
