#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "stage_test.h"
#include "stages/binary_file.h"
#include "stages/idx.h"
#include "stages/npy.h"

using namespace satdl;
using namespace satdl::stages;
using Catch::Matchers::Contains;

namespace {

class File {
public:
    explicit File(const std::string& bytes, const std::string& name = "array.bin")
        : path_(std::filesystem::temp_directory_path() / ("satdl_" + std::to_string(::getpid()) + "_" + name)) {
        std::ofstream(path_, std::ios::binary) << bytes;
    }
    ~File() { std::filesystem::remove(path_); }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

std::string idx_header(char type, const std::vector<std::uint32_t>& extents) {
    std::string bytes{0, 0, type, static_cast<char>(extents.size())};
    for (const std::uint32_t extent : extents) {
        for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(extent >> shift & 0xff);
    }
    return bytes;
}

std::string npy(const std::string& dictionary, const std::string& data, int version = 1) {
    std::string header = dictionary + "\n";
    std::string bytes = "\x93NUMPY" + std::string{static_cast<char>(version), 0, static_cast<char>(header.size() & 0xff),
                                                  static_cast<char>(header.size() >> 8)};
    if (version > 1) bytes += std::string(2, '\0');
    return bytes + header + data;
}

std::string idx_error(const std::string& bytes) {
    const File file(bytes);
    try {
        (void)read_idx(file.path());
    } catch (const Error& error) {
        CHECK(error.code() == ExitCode::Store);
        CHECK_THAT(error.what(), Contains(file.path().string()));
        return error.what();
    }
    return "no error";
}

std::string npy_error(const std::string& bytes) {
    const File file(bytes);
    try {
        (void)read_npy(file.path());
    } catch (const Error& error) {
        CHECK_THAT(error.what(), Contains(file.path().string()));
        return error.what();
    }
    return "no error";
}

}  // namespace

TEST_CASE("IDX: bytes, big-endian numbers, and the first entries alone") {
    const File bytes(idx_header(8, {3, 1, 2}) + "abcdef");
    CHECK(read_idx(bytes.path()).shape() == Shape{3, 1, 2});
    CHECK(values_of<std::uint8_t>(read_idx(bytes.path(), 2)) == std::vector<std::uint8_t>{'a', 'b', 'c', 'd'});
    CHECK(read_idx(bytes.path(), 100).shape() == Shape{3, 1, 2});
    const File floats(idx_header(0x0D, {2}) + std::string("\x3f\x80\0\0\xc0\0\0\0", 8));
    CHECK(values_of<float>(read_idx(floats.path())) == std::vector<float>{1, -2});
    const File ints(idx_header(0x0C, {1}) + std::string("\xff\xff\xff\xfe", 4));
    CHECK(values_of<std::int32_t>(read_idx(ints.path())) == std::vector<std::int32_t>{-2});
}

TEST_CASE("IDX: what is wrong is said, with the file") {
    struct Case {
        const char* what;
        std::string bytes;
        const char* told;
        const char* advice;
    };
    const std::string good = idx_header(8, {2, 2}) + "abcd";
    const std::vector<Case> cases{
        {"nothing", "", "truncated", "download it or write it again"},
        {"gzip", "\x1f\x8b\x08\x08more", "it starts with 1f 8b, not with two zero bytes", "gunzip"},
        {"zip", "PK\3\4more", "it starts with 50 4b", "unpack it"},
        {".npy", "\x93NUMPY", "it starts with 93 4e", "ends with .npy"},
        {"text", "label,pixel", "it starts with 6c 61", "the format of MNIST"},
        {"little-endian", std::string("\3\x08\0\0\0\0\0\1x", 9), "it starts with 03 08", "the format of MNIST"},
        {"signed bytes", idx_header(9, {1}) + "a", "element type 0x09", "uint8 (0x08)"},
        {"shorts", idx_header(0x0B, {1}) + "ab", "element type 0x0b", "uint8 (0x08)"},
        {"without dimensions", idx_header(8, {}), "without dimensions", "fourth byte"},
        {"33 dimensions", idx_header(8, std::vector<std::uint32_t>(33, 1)) + "a", "33 dimensions", "at most 32"},
        {"its header cut", good.substr(0, 9), "truncated", "download it or write it again"},
        {"its last byte cut", good.substr(0, 15), "[2, 2] of uint8 take 4 bytes, but 3 follow", "incomplete"},
        {"a byte more", good + "e", "take 4 bytes, but 5 follow", "something appended"},
        {"no images, but bytes", idx_header(8, {0, 2}) + "a", "take 0 bytes, but 1 follow", "something appended"},
        {"2^64 and more", idx_header(8, {0xffffffff, 0xffffffff, 0xffffffff}), "over 2^64", "incomplete"},
        {"a product of 2^64, which is 0 in 64 bits", idx_header(8, {0x80000000, 0x80000000, 4}), "over 2^64", "incomplete"},
        {"terabytes", idx_header(8, {0xffffffff, 1000}) + "a", "take 4294967295000 bytes, but 1 follow", "incomplete"},
    };
    for (const Case& one : cases) {
        INFO(one.what);
        CHECK_THAT(idx_error(one.bytes), Contains(one.told) && Contains(one.advice));
    }
    for (std::size_t cut = 0; cut < good.size(); ++cut) CHECK(idx_error(good.substr(0, cut)) != "no error");
    CHECK_THROWS_WITH(read_idx("/nowhere/at/all"), Contains("/nowhere/at/all") && Contains("No such file"));
}

TEST_CASE("A file that is cut while it is read is told as such") {
    const File whole(idx_header(8, {1000, 1000}) + std::string(1'000'000, 'a'));
    BinaryFile file(whole.path());
    std::vector<std::byte> bytes(500'000);
    file.read(bytes, "the first half");
    std::filesystem::resize_file(whole.path(), 600'000);
    CHECK_THROWS_WITH(file.read(bytes, "the second half"), Contains(whole.path().string()) && Contains("was truncated while it was read"));
}

TEST_CASE(".npy: every version and element type that satdl has") {
    const File floats(
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }", std::string("\0\0\x80\x3f\0\0\0\xc0", 8)));
    CHECK(read_npy(floats.path()).shape() == Shape{1, 2});
    CHECK(values_of<float>(read_npy(floats.path())) == std::vector<float>{1, -2});
    const File bytes(npy("{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }", "abc", 2));
    CHECK(values_of<std::uint8_t>(read_npy(bytes.path())) == std::vector<std::uint8_t>{'a', 'b', 'c'});
    CHECK(values_of<std::uint8_t>(read_npy(bytes.path(), 2)) == std::vector<std::uint8_t>{'a', 'b'});
    CHECK(read_npy(bytes.path(), 100).shape() == Shape{3});
    const File scalar(
        npy("{'descr': '<i8', 'fortran_order': False, 'shape': (), }", std::string("\x05\0\0\0\0\0\0\0", 8), 3));
    CHECK(read_npy(scalar.path()).shape().empty());
    CHECK(read_npy(scalar.path(), 1).shape().empty());
    CHECK(values_of<std::int64_t>(read_npy(scalar.path())) == std::vector<std::int64_t>{5});
    const File ints(npy("{'descr': '<i4', 'fortran_order': False, 'shape': (1,), }", std::string("\xff\xff\xff\xff", 4)));
    CHECK(values_of<std::int32_t>(read_npy(ints.path())) == std::vector<std::int32_t>{-1});
    const File none(npy("{'descr': '<f8', 'fortran_order': False, 'shape': (0, 4), }", ""));
    CHECK(read_npy(none.path()).shape() == Shape{0, 4});
}

TEST_CASE(".npy: what is wrong is said, with the file and what to do") {
    const auto dictionary = [](const std::string& descr, const std::string& fortran, const std::string& shape) {
        return "{'descr': " + descr + ", 'fortran_order': " + fortran + ", 'shape': " + shape + ", }";
    };
    CHECK_THAT(npy_error("PK\3\4 an archive"), Contains("not a .npy file"));
    CHECK_THAT(npy_error("\x93NUM"), Contains("truncated"));
    CHECK_THAT(npy_error(npy(dictionary("'<f4'", "False", "(1,)"), "abcd", 9)), Contains("version 9"));
    CHECK_THAT(npy_error(npy(dictionary("'>f4'", "False", "(1,)"), "abcd")), Contains("'>f4'") && Contains("astype"));
    CHECK_THAT(npy_error(npy(dictionary("'|O'", "False", "(1,)"), "abcd")), Contains("'|O'"));
    CHECK_THAT(npy_error(npy(dictionary("'<f4'", "True", "(1,)"), "abcd")),
               Contains("Fortran") && Contains("ascontiguousarray"));
    CHECK_THAT(npy_error(npy(dictionary("'<f4'", "False", "(2,)"), "abcd")), Contains("take 8 bytes, but 4 follow"));
    CHECK_THAT(npy_error(npy(dictionary("'<f4'", "False", "(1,)"), "abcde")), Contains("take 4 bytes, but 5 follow"));
    CHECK_THAT(npy_error(npy(dictionary("'<f4'", "False", "(-1,)"), "abcd")), Contains("no valid shape"));
    CHECK_THAT(npy_error(npy(dictionary("'<f4'", "False", "(1"), "abcd")), Contains("no valid shape"));
    CHECK_THAT(npy_error(npy("{'descr': '<f4'}", "abcd")), Contains("no 'fortran_order'"));
}
