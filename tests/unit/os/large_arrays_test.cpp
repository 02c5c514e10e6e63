#include "pipeline/os/large_arrays.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <limits>
#include <string>
#include <vector>

#include "pipeline/os/file_system.h"
#include "pipeline/os/sigbus_guard.h"
#include "tests/support/temp_folder.h"

using namespace satdl;
using test::file_text;
using test::TempFolder;

namespace {

constexpr std::size_t kBytes = kLargeArrayBytes + 1000;
constexpr std::uint64_t kMemory = 16 * kLargeArrayBytes;

std::byte byte_at(std::size_t position) {
    return static_cast<std::byte>(position * 31 >> 7);
}

// An array of `bytes`, filled.
std::shared_ptr<std::byte[]> filled(LargeArrays& arrays, std::size_t bytes = kBytes) {
    auto array = arrays.allocate(bytes);
    REQUIRE(array != nullptr);
    for (std::size_t i = 0; i < bytes; ++i) array[i] = byte_at(i);
    return array;
}

bool is_filled(std::span<const std::byte> bytes) {
    for (std::size_t i = 0; i < bytes.size(); ++i)
        if (bytes[i] != byte_at(i)) return false;
    return true;
}

ino_t inode_of(const std::filesystem::path& path) {
    struct stat status{};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    return status.st_ino;
}

// Written as an artifact is: something before the array, and after it.
void write_around(FileSystem& files, const std::filesystem::path& path, std::span<const std::byte> array, std::uint64_t at) {
    static const std::string head = "head", tail = "tail";
    const std::uint64_t end = at + array.size();
    const std::vector<Extent> extents{
        {0, std::as_bytes(std::span(head))}, {at, array}, {end, std::as_bytes(std::span(tail))}};
    files.write_new(path, end + tail.size(), extents);
    const std::string text = file_text(path);
    REQUIRE(text.size() == end + tail.size());
    CHECK(text.starts_with("head" + std::string(at - 4, '\0')));
    CHECK(is_filled(std::as_bytes(std::span(text)).subspan(at, array.size())));
    CHECK(text.ends_with("tail"));
}

}  // namespace

TEST_CASE("an array is large from a sixteenth of the memory on, and from 4 MiB on where there is little") {
    CHECK(large_array_bytes(std::uint64_t{16} << 30) == std::uint64_t{1} << 30);
    CHECK(large_array_bytes(1) == kLargeArrayBytes);
    CHECK(large_array_bytes(0) == std::numeric_limits<std::uint64_t>::max());
    const TempFolder folder;
    LargeArrays arrays(folder.path(), kMemory);
    CHECK(arrays.allocate(kLargeArrayBytes - 1) == nullptr);
    const auto array = arrays.allocate(kLargeArrayBytes);
    CHECK(array != nullptr);
    CHECK_FALSE(arrays.on_disk({array.get(), kLargeArrayBytes}));
    const auto larger = arrays.allocate(kMemory / 4);
    CHECK(arrays.on_disk({larger.get(), kMemory / 4}));
    const std::vector<std::byte> other(kMemory / 4);
    CHECK_FALSE(arrays.on_disk(other));
    CHECK(std::filesystem::is_empty(folder.path()));  // its file has no name
}

TEST_CASE("the file of an array becomes the artifact's, once, then it is copied") {
    const TempFolder folder;
    const auto files = real_file_system();
    LargeArrays arrays(folder.path() / "tmp", kMemory);
    const auto array = filled(arrays);
    const std::span<const std::byte> bytes(array.get(), kBytes);
    const auto first = folder.path() / "first", second = folder.path() / "second";
    write_around(*files, first, bytes, kLargeArrayOffset);
    CHECK((std::filesystem::status(first).permissions() & std::filesystem::perms::mask) == std::filesystem::perms(0444));
    write_around(*files, second, bytes, kLargeArrayOffset);
    CHECK(inode_of(first) != inode_of(second));
    CHECK(is_filled(bytes));
    const MappingWatch use(bytes);
    CHECK_FALSE(use.changed());

    SECTION("a change of the artifact is seen by who reads the array") {
        std::filesystem::permissions(first, std::filesystem::perms(0644));
        struct stat status{};
        REQUIRE(::stat(first.c_str(), &status) == 0);
        const timespec times[2] = {{0, UTIME_OMIT}, {status.st_mtim.tv_sec + 1, 0}};
        REQUIRE(::utimensat(AT_FDCWD, first.c_str(), times, 0) == 0);
        CHECK(use.changed().value_or("").ends_with("was modified"));
    }
    SECTION("the copy is another file") {
        std::filesystem::permissions(second, std::filesystem::perms(0644));
        std::filesystem::resize_file(second, 0);
        CHECK_FALSE(use.changed());
        CHECK(is_filled(bytes));
    }
}

TEST_CASE("an array that an artifact has elsewhere is copied") {
    const TempFolder folder;
    const auto files = real_file_system();
    LargeArrays arrays(folder.path(), kMemory);
    const auto array = filled(arrays);
    write_around(*files, folder.path() / "other", {array.get(), kBytes}, 4096);
    CHECK(take_file_of({array.get(), kBytes}, kLargeArrayOffset));
    CHECK_FALSE(take_file_of({array.get(), kBytes}, kLargeArrayOffset));
    CHECK_FALSE(take_file_of({array.get(), kBytes - 1}, kLargeArrayOffset));
}

TEST_CASE("a file's name that is taken costs the array nothing") {
    const TempFolder folder;
    const auto files = real_file_system();
    LargeArrays arrays(folder.path() / "tmp", kMemory);
    const auto array = filled(arrays);
    files->write_new(folder.path() / "taken", 0, {});
    CHECK_THROWS_AS(write_around(*files, folder.path() / "taken", {array.get(), kBytes}, kLargeArrayOffset), FileError);
    write_around(*files, folder.path() / "free", {array.get(), kBytes}, kLargeArrayOffset);
}

TEST_CASE("what the disk did not take is not read as something else") {
    const TempFolder folder;
    const auto files = real_file_system();
    LargeArrays arrays(folder.path() / "tmp", kMemory);
    const auto array = filled(arrays);
    const std::span<const std::byte> bytes(array.get(), kBytes);
    const MappingWatch use(bytes);
    file_is_lost(bytes);
    CHECK(use.changed().value_or("").find("could no longer be read") != std::string::npos);
    CHECK_THROWS_AS(check_file_of(bytes), FileError);
    CHECK_THROWS_AS(write_around(*files, folder.path() / "new", bytes, 4096), Error);
    CHECK_FALSE(std::filesystem::exists(folder.path() / "new"));
}

TEST_CASE("pages that are let go of come back as they were") {
    const TempFolder folder;
    LargeArrays arrays(folder.path(), kMemory);
    const auto array = filled(arrays);
    const std::uint64_t before = mapped_bytes();
    CHECK(before >= kBytes);
    let_go_of_mapped_pages();
    CHECK(is_filled({array.get(), kBytes}));
    auto other = filled(arrays);
    CHECK(mapped_bytes() == before + kBytes);
    other.reset();
    CHECK(mapped_bytes() == before);
}

TEST_CASE("without a place for files, arrays are in memory") {
    LargeArrays arrays("/proc/no such folder", kMemory);
    CHECK(arrays.allocate(kBytes) == nullptr);
}
