#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <numeric>

#include "pipeline/array_files/array_file.h"
#include "pipeline/array_files/array_layout.h"
#include "pipeline/array_files/file_kind.h"
#include "pipeline/array_files/idx.h"
#include "pipeline/array_files/npy.h"

using namespace satdl;
using Catch::Matchers::Contains;

namespace {

template <typename T>
std::vector<T> values_of(const Array& array) {
    const auto values = array.values<T>();
    return {values.begin(), values.end()};
}

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

Array npy_array(const std::string& bytes, std::optional<std::int64_t> limit = {}) {
    const File path(bytes);
    BinaryFile file(path.path());
    return read_npy(file, limit);
}

std::string dictionary(const std::string& descr, const std::string& fortran, const std::string& shape) {
    return "{'descr': " + descr + ", 'fortran_order': " + fortran + ", 'shape': " + shape + ", }";
}

std::string npy_error(const std::string& bytes) {
    const File path(bytes);
    try {
        BinaryFile file(path.path());
        (void)read_npy(file);
    } catch (const Error& error) {
        CHECK(error.code() == ExitCode::Store);
        CHECK_THAT(error.what(), Contains(path.path().string()));
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

TEST_CASE("IDX: errors name the file and the problem") {
    struct Case {
        const char* what;
        std::string bytes;
        const char* told;
        const char* advice;
    };
    const std::string good = idx_header(8, {2, 2}) + "abcd";
    const std::vector<Case> cases{
        {"nothing", "", "truncated", "download it or write it again"},
        {"gzip", "\x1f\x8b\x08\x08more", "is not an IDX file: it is compressed with gzip", "gunzip"},
        {"zip", "PK\3\4more", "it is a zip archive", "unpack it"},
        {".npy", "\x93NUMPY", "it is a NumPy file", "'read' reads it"},
        {"a page", " \n<!DOCTYPE HTML><title>404</title>", "it is an HTML page", "download the file itself"},
        {"LFS", "version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "it is a pointer of Git LFS", "git lfs pull"},
        {"text", "label,pixel", "is not an IDX file: it is a text", "the format of MNIST"},
        {"little-endian", std::string("\3\x08\0\0\0\0\0\1x", 9), "it starts with 03 08", "the format of MNIST"},
        {"another type", idx_header(0x0A, {1}) + "a", "element type 0x0a", "uint8 (0x08)"},
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

TEST_CASE("A file that is cut while it is read is reported as that") {
    const File whole(idx_header(8, {1000, 1000}) + std::string(1'000'000, 'a'));
    BinaryFile file(whole.path());
    std::vector<std::byte> bytes(500'000);
    file.read(bytes, "the first half");
    std::filesystem::resize_file(whole.path(), 600'000);
    CHECK_THROWS_WITH(file.read(bytes, "the second half"), Contains(whole.path().string()) && Contains("was truncated while it was read"));
}

TEST_CASE("IDX: int8 and int16 are widened") {
    const File bytes(idx_header(0x09, {2}) + "\x7f\x80");
    CHECK(values_of<std::int32_t>(read_idx(bytes.path())) == std::vector<std::int32_t>{127, -128});
    const File shorts(idx_header(0x0B, {2}) + std::string("\x01\x02\xff\xfe", 4));
    CHECK(values_of<std::int32_t>(read_idx(shorts.path())) == std::vector<std::int32_t>{258, -2});
}

TEST_CASE(".npy: every version, and the first entries alone") {
    const Array floats = npy_array(npy(dictionary("'<f4'", "False", "(1, 2)"), std::string("\0\0\x80\x3f\0\0\0\xc0", 8)));
    CHECK(floats.shape() == Shape{1, 2});
    CHECK(values_of<float>(floats) == std::vector<float>{1, -2});
    const std::string bytes = npy(dictionary("'|u1'", "False", "(3,)"), "abc", 2);
    CHECK(values_of<std::uint8_t>(npy_array(bytes)) == std::vector<std::uint8_t>{'a', 'b', 'c'});
    CHECK(values_of<std::uint8_t>(npy_array(bytes, 2)) == std::vector<std::uint8_t>{'a', 'b'});
    CHECK(npy_array(bytes, 100).shape() == Shape{3});
    const std::string scalar = npy(dictionary("'<i8'", "False", "()"), std::string("\x05\0\0\0\0\0\0\0", 8), 3);
    CHECK(npy_array(scalar).shape().empty());
    CHECK(npy_array(scalar, 1).shape().empty());
    CHECK(values_of<std::int64_t>(npy_array(scalar)) == std::vector<std::int64_t>{5});
    CHECK(npy_array(npy(dictionary("'<f8'", "False", "(0, 4)"), "")).shape() == Shape{0, 4});
}

TEST_CASE(".npy: element types that satdl lacks are widened, and either byte order is read") {
    const auto one = [](const std::string& descr, const std::string& bytes) {
        return npy_array(npy(dictionary(descr, "False", "(2,)"), bytes));
    };
    CHECK(values_of<std::uint8_t>(one("'|b1'", std::string("\0\1", 2))) == std::vector<std::uint8_t>{0, 1});
    CHECK(values_of<std::int32_t>(one("'|i1'", "\x7f\x80")) == std::vector<std::int32_t>{127, -128});
    CHECK(values_of<std::int32_t>(one("'<i2'", std::string("\1\0\xfe\xff", 4))) == std::vector<std::int32_t>{1, -2});
    CHECK(values_of<std::int32_t>(one("'>u2'", std::string("\1\2\xff\xff", 4))) == std::vector<std::int32_t>{258, 65535});
    CHECK(values_of<std::int64_t>(one("'<u4'", std::string("\1\0\0\0\xff\xff\xff\xff", 8))) == std::vector<std::int64_t>{1, 4294967295});
    CHECK(values_of<std::int32_t>(one("'>i4'", std::string("\0\0\1\0\xff\xff\xff\xff", 8))) == std::vector<std::int32_t>{256, -1});
    CHECK(values_of<float>(one("'>f4'", std::string("\x3f\x80\0\0\xc0\0\0\0", 8))) == std::vector<float>{1, -2});
    const std::string small = std::string(7, '\0') + "\x05", greatest = "\x7f" + std::string(7, '\xff');
    CHECK(values_of<std::int64_t>(one("'>u8'", small + greatest)) == std::vector<std::int64_t>{5, INT64_MAX});
    CHECK_THAT(npy_error(npy(dictionary("'>u8'", "False", "(2,)"), small + "\x80" + std::string(7, '\0'))),
               Contains("uint64 above 9223372036854775807") && Contains("astype('float64')"));
}

TEST_CASE(".npy: float16 has every value that IEEE 754 gives it") {
    const std::string bytes("\x00\x3c\x00\xc0\x01\x00\xff\x03\xff\x7b\x00\x7c\x00\x80\x55\x35", 16);
    const std::vector<float> values = values_of<float>(npy_array(npy(dictionary("'<f2'", "False", "(8,)"), bytes)));
    CHECK(values[0] == 1);
    CHECK(values[1] == -2);
    CHECK(values[2] == 0x1p-24f);           // the smallest
    CHECK(values[3] == 0x3ffp-24f);         // the greatest that is not normal
    CHECK(values[4] == 65504);
    CHECK(values[5] == std::numeric_limits<float>::infinity());
    CHECK((values[6] == 0 && std::signbit(values[6])));
    CHECK(values[7] == 0.333251953125f);
    CHECK(std::isnan(values_of<float>(npy_array(npy(dictionary("'<f2'", "False", "(1,)"), "\x01\x7e")))[0]));
}

TEST_CASE(".npy: Fortran order gives the same array as C order") {
    // numpy.arange(6, dtype='u1').reshape(2, 3): its columns one after the other
    const std::string columns = npy(dictionary("'|u1'", "True", "(2, 3)"), std::string("\0\3\1\4\2\5", 6));
    CHECK(npy_array(columns).shape() == Shape{2, 3});
    CHECK(values_of<std::uint8_t>(npy_array(columns)) == std::vector<std::uint8_t>{0, 1, 2, 3, 4, 5});
    CHECK(npy_array(columns, 1).shape() == Shape{1, 3});
    CHECK(values_of<std::uint8_t>(npy_array(columns, 1)) == std::vector<std::uint8_t>{0, 1, 2});
    CHECK(values_of<std::uint8_t>(npy_array(npy(dictionary("'|u1'", "True", "(3,)"), "abc"), 2)) == std::vector<std::uint8_t>{'a', 'b'});
    CHECK(npy_array(npy(dictionary("'|u1'", "True", "(0, 3)"), "")).shape() == Shape{0, 3});
}

TEST_CASE(".npy: headers of Python 2") {
    const std::string data("\1\0\2\0", 4);
    for (const char* header : {"{'descr': '<i2', 'fortran_order': False, 'shape': (2L,), }",
                               "{'descr': u'<i2', 'fortran_order': False, 'shape': (2L, )}",
                               "{\"descr\": \"<i2\", \"fortran_order\": False, \"shape\": (2,)}"}) {
        INFO(header);
        CHECK(values_of<std::int32_t>(npy_array(npy(header, data))) == std::vector<std::int32_t>{1, 2});
    }
}

TEST_CASE(".npy: errors name the file, the problem and the remedy") {
    CHECK_THAT(npy_error("PK\3\4 an archive"), Contains("not a .npy file"));
    CHECK_THAT(npy_error("\x93NUM"), Contains("truncated"));
    CHECK_THAT(npy_error(npy(dictionary("'<f4'", "False", "(1,)"), "abcd", 9)), Contains("version 9"));
    for (const char* descr : {"'|O'", "'<c8'", "'<U3'", "'<f4", "'<f16'", "'|f4'", "[('a', '<f4'), ('b', '<i8')]", "'<M8[ns]'"}) {
        INFO(descr);
        CHECK_THAT(npy_error(npy(dictionary(descr, "False", "(1,)"), "abcd")),
                   Contains(fmt::format("type {} is not", descr)) && Contains("astype"));
    }
    CHECK_THAT(npy_error(npy(dictionary("'<f4'", "Perhaps", "(1,)"), "abcd")), Contains("no valid 'fortran_order'"));
    CHECK_THAT(npy_error(npy(dictionary("'<f4'", "False", "(2,)"), "abcd")), Contains("take 8 bytes, but 4 follow"));
    CHECK_THAT(npy_error(npy(dictionary("'<f4'", "False", "(1,)"), "abcde")), Contains("take 4 bytes, but 5 follow"));
    for (const char* shape : {"(-1,)", "(1", "(1)", "1", "(1 1)", "(1,,1)", "(,)", "(1,1", "(1.5,)", "(99999999999999999999,)", "[1]"}) {
        INFO(shape);
        CHECK_THAT(npy_error(npy(dictionary("'<f4'", "False", shape), "abcd")), Contains("no valid shape"));
    }
    CHECK_THAT(npy_error(npy("{'descr': '<f4'}", "abcd")), Contains("no 'fortran_order'"));
}

TEST_CASE("what a file is shows in its content, and one content is one kind") {
    struct Case {
        std::string bytes;
        FileKind kind;
    };
    const std::string signature = "\x89HDF\r\n\x1a\n", idx = idx_header(8, {1}) + "a";
    const std::string small = npy(dictionary("'|u1'", "False", "(1,)"), "a");
    const auto padded = [](std::string bytes, std::size_t size) { return bytes + std::string(size - bytes.size(), '\0'); };
    const std::vector<Case> cases{
        {small, FileKind::Npy},
        {signature, FileKind::Hdf5},
        {padded(idx, 512) + signature, FileKind::Hdf5},  // both: HDF5's signature says more than IDX's two zero bytes
        {padded(idx, 2048) + signature, FileKind::Hdf5},
        {padded(small, 512) + signature, FileKind::Npy},
        {padded("MATLAB 7.3 MAT-file", 512) + signature, FileKind::Hdf5},
        {padded(idx, 700) + signature, FileKind::Idx},
        {"PK\3\4", FileKind::Zip},
        {"\x1f\x8b\x08", FileKind::Gzip},
        {"\x89PNG\r\n\x1a\n", FileKind::Png},
        {"\xff\xd8\xff\xe0", FileKind::Jpeg},
        {"a,b\n1,2\n", FileKind::Text},
        {"<html>", FileKind::Html},
        {"\x7f" "ELF", FileKind::Other},
        {"", FileKind::Other},
    };
    for (const Case& one : cases) {
        for (const char* name : {"array.npy", "array.h5", "array"}) {
            const File path(one.bytes, name);
            BinaryFile file(path.path());
            CHECK(file_kind(file) == one.kind);
            CHECK(file.left() == one.bytes.size());
        }
    }
}

TEST_CASE("the header alone gives the type and shape of the array") {
    const File array(npy(dictionary("'<u2'", "True", "(2, 3)"), std::string(12, 'a')));
    CHECK(array_type_of_file(array.path(), {}) == ArrayType{DType::Int32, {2, 3}});
    const File idx(idx_header(8, {3, 1, 2}) + "abcdef");
    CHECK(array_type_of_file(idx.path(), {}) == ArrayType{DType::UInt8, {3, 1, 2}});
    CHECK(array_type_of_file(File("a,b,c\n1,2,3\n").path(), {}) == ArrayType{DType::Float64, {-1, 3}});
    std::string wide = "1";
    while (wide.size() < (2 << 20)) wide += ",1";
    CHECK(array_type_of_file(File(wide + "\n").path(), {}) == std::nullopt);
    CHECK(array_type_of_file(File("1,2\n" + wide).path(), {}) == ArrayType{DType::Float64, {-1, 2}});
}

TEST_CASE("what is wrong with a file shows before its elements are read, with the file and what to do") {
    struct Case {
        std::string bytes;
        const char* told;
        const char* advice;
        ArraySelection selection{};
    };
    const std::string two = npy(dictionary("'|u1'", "False", "(2,)"), "ab");
    const std::vector<Case> cases{
        {two.substr(0, two.size() - 1), "elements [2] of uint8 take 2 bytes, but 1 follow its header", "the file is incomplete"},
        {two.substr(0, 20), "is truncated", "write it again"},
        {npy(dictionary("'<c8'", "False", "(1,)"), std::string(8, 'a')), "its element type '<c8' is not supported", "astype"},
        {npy(dictionary("'|u1'", "False", "(0, 3)"), ""), "its array has no elements: its shape is [0, 3]", "write it again"},
        {idx_header(8, {0, 2}), "its array has no elements: its shape is [0, 2]", "write it again"},
        {npy(dictionary("'|u1'", "False", "(2,)"), "ab", 9), "its .npy version 9 is not supported", "versions 1 to 3 are"},
        {two, "is a NumPy file, which has one array without a name", "remove it", {.name = "x"}},
        {two, "is not a CSV file", "remove it", {.columns = Columns{1, 2}}},
        {"1,2\n", "has 2 columns, not 3", "counted from 1", {.columns = Columns{3, 3}}},
        {"no number\n", "has no rows of numbers", "at most one line of names"},
        {"<html>", "it is an HTML page", "download the file itself"},
        {"version https://git-lfs.github.com/spec/v1\n", "it is a pointer of Git LFS", "git lfs pull"},
        {"", "is empty", "download it or write it again"},
    };
    for (const Case& one : cases) {
        const File file(one.bytes);
        const std::string named = file.path().string() + ": ";
        CHECK_THROWS_WITH(array_type_of_file(file.path(), one.selection), Contains(named) && Contains(one.told) && Contains(one.advice));
        CHECK_THROWS_WITH(read_array_file(file.path(), one.selection), Contains(named) && Contains(one.told) && Contains(one.advice));
    }
    CHECK_THROWS_WITH(array_type_of_file("/nowhere/at/all", {}), Contains("/nowhere/at/all: cannot be opened"));
}

TEST_CASE("an error names the format of a file that holds no array") {
    const auto error = [](const std::string& bytes, const std::string& name = "") {
        const File file(bytes);
        try {
            (void)read_array_file(file.path(), {.name = name});
        } catch (const Error& thrown) {
            return std::string(thrown.what());
        }
        return std::string("no error");
    };
    CHECK_THAT(error("<!doctype html>"), Contains("is not a file of arrays (NumPy, HDF5, IDX, CSV, PNG or JPEG): it is an HTML page"));
    CHECK_THAT(error("\x7f" "ELF"), Contains("it starts with 7f 45 4c 46"));
    CHECK_THAT(error(""), Contains("is empty"));
    CHECK_THAT(error(idx_header(8, {1}) + "a", "group/data"),
               Contains("is an IDX file, which has one array without a name") && Contains("remove it"));
}

TEST_CASE("transposed axes give the same array in C order") {
    std::vector<std::uint8_t> numbers(24);
    std::iota(numbers.begin(), numbers.end(), std::uint8_t{0});
    const Array array = Array::of<std::uint8_t>({2, 3, 4}, numbers);
    const Array turned = with_axes(array, std::array<std::size_t, 3>{2, 0, 1});
    CHECK(turned.shape() == Shape{4, 2, 3});
    for (std::size_t i = 0; i < 2; ++i)
        for (std::size_t j = 0; j < 3; ++j)
            for (std::size_t k = 0; k < 4; ++k) CHECK(turned.values<std::uint8_t>()[k * 6 + i * 3 + j] == i * 12 + j * 4 + k);
    CHECK(first_entries(array, 1).bytes().size() == 12);
    CHECK(first_entries(array, 9).shape() == Shape{2, 3, 4});
}

TEST_CASE("CSV: rows of numbers, perhaps with a line of names, all columns or some") {
    const auto read = [](const std::string& text, const ArraySelection& selection = {}) {
        const File file(text);
        return read_array_file(file.path(), selection);
    };
    const std::string plain = "1,2.5\n-3, 4e1\n";
    CHECK(read(plain).shape() == Shape{2, 2});
    CHECK(values_of<double>(read(plain)) == std::vector<double>{1, 2.5, -3, 40});
    const std::vector<std::string> spellings{"a,b\n" + plain, "\xef\xbb\xbf" "a,b\r\n1,2.5\r\n-3,40", "1,2.5\n\n-3,40\n\n",
                                             "\"x\",_\n" + plain, "Sepal length (cm),\xc3\x84rger\n" + plain};
    for (const std::string& same : spellings)
        CHECK(values_of<double>(read(same)) == std::vector<double>{1, 2.5, -3, 40});
    CHECK(read(plain, {.limit = 1}).shape() == Shape{1, 2});
    for (const char* same : {"a;b\n1;2.5\n-3;40\n", "1\t2.5\n-3\t40\n", "a\tb\n1\t2.5\n-3\t 40\n"})
        CHECK(values_of<double>(read(same)) == std::vector<double>{1, 2.5, -3, 40});
    const auto infinite = values_of<double>(read("inf,NaN\n1,2\n"));
    CHECK(infinite.size() == 4);
    CHECK(std::isinf(infinite[0]));
    CHECK(values_of<double>(read("9007199254740993,1\n9007199254740994,1\n", {.columns = Columns{2, 2}})) == std::vector<double>{1, 1});
    CHECK(values_of<double>(read("9007199254740992,-9007199254740994,0020000000000000000000,9007199254740993.5\n")) ==
          std::vector<double>{9007199254740992, -9007199254740994, 2e19, 9007199254740994});
    const std::string flowers = "5.1,3.5,red,0\n4.9,3.0,blue,1\n";
    CHECK(read(flowers, {.columns = Columns{1, 2}}).shape() == Shape{2, 2});
    CHECK(read(flowers, {.columns = Columns{4, 4}}).shape() == Shape{2});
    CHECK(values_of<double>(read(flowers, {.columns = Columns{4, 4}})) == std::vector<double>{0, 1});
    CHECK(array_type_of_file(File(flowers).path(), {.columns = Columns{4, 4}}) == ArrayType{DType::Float64, {-1}});
}

TEST_CASE("CSV: errors have a line and a column") {
    const auto error = [](const std::string& text, const std::optional<Columns>& columns = {}) {
        const File path(text);
        BinaryFile file(path.path());
        try {
            (void)read_csv(file, columns, {});
        } catch (const Error& thrown) {
            return std::string(thrown.what());
        }
        return std::string("no error");
    };
    CHECK_THAT(error("a,b\n1,2\n1,x\n"), Contains("line 3, column 2: 'x' is not a number"));
    CHECK_THAT(error("1,x\n1,2\n"), Contains("line 1, column 2: 'x' is not a number"));  // a row with numbers is no line of names
    CHECK_THAT(error("1,2\n1,\n"), Contains("line 2, column 2: '' is not a number"));
    CHECK_THAT(error("1,2\n1\n"), Contains("line 2 has 1 columns, the first has 2"));
    CHECK_THAT(error("1,5;2,5\n"), Contains("line 1, column 2: '5;2' is not a number") &&
                                       Contains("columns are separated by commas, as in the first line, and numbers are written 1234.5"));
    CHECK_THAT(error("a;b\n1,5;2,5\n"), Contains("line 2, column 1: '1,5' is not a number") && Contains("are separated by semicolons"));
    CHECK_THAT(error("1.0 2.0\n"), Contains("'1.0 2.0' is not a number") && Contains("delimiter=','"));
    CHECK_THAT(error("a;b\n1\n"), Contains("line 2 has 1 columns, the first has 2") && Contains("separated by semicolons"));
    CHECK_THAT(error("1,2\n", Columns{2, 3}), Contains("has 2 columns, not 3"));
    CHECK_THAT(error("just text\n"), Contains("has no rows of numbers"));
    // A first line that may be meant as data is no line of names.
    const std::vector<std::string> values{"+1", "\"1\"", "NA", "n/a", "null", "None", "5%", "$5", "", "\"\"", "\"", "-",
                                          "\xe2\x82\xac" "5", "\"NA\""};
    for (const std::string& field : values) {
        CHECK_THAT(error(field + "," + field + "\n1,2\n"), Contains("line 1, column 1: '" + field + "' is not a number"));
        CHECK_THAT(error("a," + field + "\n1,2\n", Columns{2, 2}), Contains("line 1, column 2") && Contains("a first line of names"));
        CHECK(error(field + ",a\n1,2\n", Columns{2, 2}) == "no error");
    }
    CHECK_THAT(error("a\n1\n9007199254740993\n"),
               Contains("line 3, column 1: float64 does not have 9007199254740993 exactly, only 9007199254740992") && Contains("int64"));
    CHECK_THAT(error("1,-9007199254740995\n"),
               Contains("column 2: float64 does not have -9007199254740995 exactly, only -9007199254740996"));
    CHECK_THAT(error("18446744073709551615\n"), Contains("only 18446744073709551616"));
    CHECK(parse_columns("5")->last == 5);
    CHECK(parse_columns("2-5")->first == 2);
    for (const char* bad : {"", "0", "5-2", "a", "1-", "-1", "1,2", "1-2-3"}) CHECK_FALSE(parse_columns(bad));
}

TEST_CASE("damaged .npz files are refused, whatever byte is changed") {
    // numpy.savez_compressed("a.npz", x=numpy.arange(3, dtype="u1"))
    const std::string header = npy(dictionary("'|u1'", "False", "(3,)"), std::string("\0\1\2", 3));
    const auto number = [](std::uint64_t value, int bytes) {
        std::string text;
        for (int i = 0; i < bytes; ++i, value >>= 8) text += static_cast<char>(value & 0xff);
        return text;
    };
    std::uint32_t crc = ~0u;
    for (const char byte : header) {
        crc ^= static_cast<unsigned char>(byte);
        for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
    }
    const std::string sizes = number(~crc, 4) + number(header.size(), 4) + number(header.size(), 4) + number(5, 2);
    const std::string member = "PK\3\4" + number(0, 10) + sizes + number(0, 2) + "x.npy" + header;
    const std::string entry = "PK\1\2" + number(0, 12) + sizes + number(0, 16) + "x.npy";
    const auto archive = [&](std::uint64_t entries) {
        std::string bytes = member;
        for (std::uint64_t i = 0; i < entries; ++i) bytes += entry;
        return bytes + "PK\5\6" + number(0, 4) + number(entries, 2) + number(entries, 2) + number(entries * entry.size(), 4) +
               number(member.size(), 4) + number(0, 2);
    };
    const std::string good = archive(1);
    const auto read = [](const std::string& bytes) {
        const File file(bytes);
        return read_array_file(file.path(), {});
    };
    CHECK(values_of<std::uint8_t>(read(good)) == std::vector<std::uint8_t>{0, 1, 2});
    for (std::size_t i = 0; i < good.size(); ++i) {
        std::string bytes = good;
        bytes[i] = static_cast<char>(bytes[i] ^ 0x55);
        try {
            const Array array = read(bytes);  // the byte means nothing
            CHECK(values_of<std::uint8_t>(array) == std::vector<std::uint8_t>{0, 1, 2});
        } catch (const Error& error) {
            CHECK(error.code() == ExitCode::Store);
        }
    }
    for (std::size_t cut = 4; cut < good.size(); ++cut) CHECK_THROWS_AS(read(good.substr(0, cut)), Error);
    CHECK_THROWS_WITH(read(archive(2)), Contains("two of its members have the name x.npy") && Contains("numpy.savez"));
    // A member that would reach beyond the archive: sizes are not believed before memory is taken for them.
    const std::string large = number(~crc, 4) + number(0xfffffff0, 4) + number(0xfffffff0, 4) + number(5, 2);
    std::string beyond = good;
    beyond.replace(member.size() + 10, 2, number(8, 2));           // deflated
    beyond.replace(member.size() + 16, large.size(), large);
    const File file(beyond);
    CHECK_THROWS_WITH(read_array_file(file.path(), {}), Contains("is a damaged zip archive"));
}
