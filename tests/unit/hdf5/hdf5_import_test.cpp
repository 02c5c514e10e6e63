#include "pipeline/hdf5/hdf5_import.h"

#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include <cstring>
#include <fstream>
#include <map>
#include <numeric>
#include <random>

#include "pipeline/core/error.h"
#include "tests/support/command.h"
#include "tests/support/temp_folder.h"

using namespace satdl;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

namespace {

// The files of tests/support/foreign_h5.py, made once.
const fs::path& folder() {
    static const test::TempFolder made;
    static const auto result = test::run_command(
        fmt::format("{} {}/tests/support/foreign_h5.py {}", SATDL_PYTHON, SATDL_SOURCE_DIR, made.path().string()));
    INFO(result.output);
    REQUIRE(result.status == 0);
    return made.path();
}

void write(const fs::path& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
}

template <typename T>
bool counts_up(const Array& array, T first = 0) {
    std::vector<T> wanted(static_cast<std::size_t>(array.count()));
    std::iota(wanted.begin(), wanted.end(), first);
    return std::ranges::equal(array.values<T>(), wanted);
}

std::string error_of(const fs::path& path, const std::string& name = "") {
    try {
        (void)import_hdf5(path, name);
    } catch (const Error& error) {
        CHECK(error.code() == ExitCode::Store);
        CHECK_THAT(error.what(), Contains(path.string()));
        CHECK_FALSE(error.diagnostics().front().hint.empty());
        return error.what();
    }
    return "no error";
}

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

// What the receiver makes of a whole message, cut anywhere.
std::optional<Array> received(const std::string& message, std::uint64_t file_bytes, std::size_t piece) {
    ImportReceiver receiver(file_bytes);
    for (std::size_t at = 0; at < message.size(); at += piece) {
        if (!receiver.take(bytes_of(message).subspan(at, std::min(piece, message.size() - at)))) return std::nullopt;
    }
    return receiver.array();
}

}  // namespace

TEST_CASE("arrays of foreign HDF5 files are read with their bytes, whatever their storage") {
    for (const char* name : {"plain.h5", "big_endian.h5", "gzip.h5"}) {
        INFO(name);
        const Array array = import_hdf5(folder() / name, "");
        CHECK(array.dtype() == DType::Float32);
        CHECK(array.shape() == Shape{4, 3, 2});
        CHECK(counts_up<float>(array));
        CHECK(counts_up<float>(import_hdf5(folder() / name, "/data", 3)));
        CHECK(import_hdf5(folder() / name, "data", 3).shape() == Shape{3, 3, 2});
        CHECK(import_hdf5(folder() / name, "data", 100).shape() == Shape{4, 3, 2});
    }
    CHECK(counts_up<std::int32_t>(import_hdf5(folder() / "old.h5", "")));
    CHECK(counts_up<std::uint8_t>(import_hdf5(folder() / "bytes.h5", "")));
    CHECK(import_hdf5(folder() / "scalar.h5", "").values<std::int64_t>()[0] == 7);
    CHECK(import_hdf5(folder() / "scalar.h5", "").shape().empty());
    CHECK(import_hdf5(folder() / "none.h5", "").shape() == Shape{0, 3});
    CHECK(counts_up<float>(import_hdf5(folder() / "several.h5", "a")));
    CHECK(counts_up<float>(import_hdf5(folder() / "several.h5", "group/again/deeper/b"), 1));
}

TEST_CASE("the type of an HDF5 file's array comes without its elements") {
    CHECK(import_hdf5_type(folder() / "gzip.h5", "") == ArrayType{DType::Float32, {4, 3, 2}});
    CHECK(import_hdf5_type(folder() / "several.h5", "to_group/relative").dtype == DType::Float32);
    CHECK(import_hdf5_type(folder() / "scalar.h5", "") == ArrayType{DType::Int64, {}});
    CHECK(import_hdf5_type(folder() / "none.h5", "") == ArrayType{DType::Float64, {0, 3}});
    CHECK(import_hdf5_type(folder() / "too_large.h5", "").dtype == DType::Int64);
}

TEST_CASE("an HDF5 file's elements that satdl lacks are widened") {
    const std::map<std::string, DType> types{{"bool", DType::UInt8},   {"enum", DType::UInt8},   {"int8", DType::Int32},
                                             {"int16", DType::Int32},  {"uint16", DType::Int32}, {"uint32", DType::Int64},
                                             {"uint64", DType::Int64}, {"half", DType::Float32}, {"big_half", DType::Float32}};
    for (const auto& [name, dtype] : types) {
        INFO(name);
        const Array array = import_hdf5(folder() / (name + ".h5"), "");
        CHECK(array.dtype() == dtype);
        CHECK(array.shape() == Shape{2});
        if (dtype == DType::UInt8) CHECK(array.values<std::uint8_t>()[0] == (name == "enum" ? 1 : 0));
        if (dtype == DType::Int32) CHECK(counts_up<std::int32_t>(array));
        if (dtype == DType::Int64) CHECK(counts_up<std::int64_t>(array));
        if (dtype == DType::Float32) CHECK(counts_up<float>(array));
    }
}

TEST_CASE("zeros of a type that is widened may be four times as many bytes as deflate alone could give") {
    CHECK(import_hdf5(folder() / "zeros.h5", "").shape() == Shape{2000, 5000});
}

TEST_CASE("unwritten parts of an array have its fill value") {
    const auto values = [](const Array& array) { return std::vector<float>(array.values<float>().begin(), array.values<float>().end()); };
    CHECK(values(import_hdf5(folder() / "never_written.h5", "")) == std::vector<float>(6, 0));
    CHECK(values(import_hdf5(folder() / "filled.h5", "")) == std::vector<float>{7, 7, 7, 7, 1, 1, 1, 1, 7, 7, 7, 7});
    CHECK(values(import_hdf5(folder() / "half_written.h5", ""))[15] == 1);
    CHECK(values(import_hdf5(folder() / "half_written.h5", ""))[16] == 0);
}

TEST_CASE("soft links within the file are followed") {
    CHECK(counts_up<float>(import_hdf5(folder() / "several.h5", "soft")));
    CHECK(counts_up<float>(import_hdf5(folder() / "several.h5", "group/relative"), 1));
    CHECK(counts_up<float>(import_hdf5(folder() / "several.h5", "to_group/relative"), 1));
}

TEST_CASE("h5py's lzf is unpacked, and chunks of more than 128 MiB") {
    CHECK(counts_up<float>(import_hdf5(folder() / "lzf.h5", "")));
    const Array many = import_hdf5(folder() / "lzf_many.h5", "");
    REQUIRE(many.shape() == Shape{100000});
    for (std::size_t i = 0; i < 100000; ++i) REQUIRE(many.values<std::int32_t>()[i] == static_cast<std::int32_t>(i / 1000));
    CHECK(counts_up<std::int32_t>(import_hdf5(folder() / "one_chunk.h5", "")));
}

TEST_CASE("an array that comes in several pieces is whole and in order") {
    for (const char* name : {"contiguous", "chunks"}) {
        INFO(name);
        const Array array = import_hdf5(folder() / "large.h5", name);
        CHECK(array.shape() == Shape{3000, 5000});
        CHECK(counts_up<std::int32_t>(array));
        CHECK(import_hdf5(folder() / "large.h5", name, 1).count() == 5000);
    }
}

TEST_CASE("unsupported features of a foreign HDF5 file are refused by name, with what to do") {
    struct Case {
        const char* file;
        const char* array;
        const char* told;
    };
    for (const Case& one : std::initializer_list<Case>{
             {"external_storage.h5", "", "its values are in other files (external storage)"},
             {"several.h5", "external", "'external' is an external link"},
             {"several.h5", "", "it contains 2 arrays: a, group/deeper/b"},
             {"several.h5", "nix", "it has no 'nix'"},
             {"several.h5", "a/b", "'a' is not a group"},
             {"several.h5", "group", "cannot open 'group' as an array"},
             {"several.h5", "a/\x1b[31m/../<script>", "'a' is not a group"},
             {"virtual.h5", "", "it is a virtual dataset"},
             {"several.h5", "to_external", "'external' is an external link"},
             {"several.h5", "dangling", "it has no 'nowhere'"},
             {"several.h5", "circle", "'circle' is a circle of soft links"},
             {"unwritten.h5", "", "takes 4398046511104 bytes, in a file of"},
             {"unwritten_chunks.h5", "", "takes 4398046511104 bytes, in a file of"},
             {"more_than_64_bits.h5", "", "too many elements"},
             {"huge_chunks.h5", "", "takes 536870912 bytes, in a file of"},
             {"too_large.h5", "", "uint64 above 9223372036854775807"},
             {"text.h5", "", "its elements are text"},
             {"complex.h5", "", "its elements are records of several fields"},
             {"records.h5", "", "its elements are records of several fields"},
             {"lists.h5", "", "its elements are lists of different lengths"},
             {"null.h5", "", "a null data space"},
             {"groups.h5", "", "it contains no array"},
             {"cut.h5", "", "HDF5 cannot open it: truncated file: eof = "},
             {"text_file.h5", "", "HDF5 cannot open it: file signature not found"},
             {"there_is_none.h5", "", "No such file"},
         }) {
        INFO(one.file);
        CHECK_THAT(error_of(folder() / one.file, one.array), Contains(one.told));
        if (std::string(one.file) != "too_large.h5") {  // which only its elements show
            const auto type = [&] { return import_hdf5_type(folder() / one.file, one.array); };
            CHECK_THROWS_WITH(type(), Contains(one.told));
        }
    }
    CHECK_THAT(error_of(folder()), Contains("cannot be read") || Contains("not a regular file"));
}

TEST_CASE("every array of an HDF5 file is read by its path, and what leads elsewhere is refused") {
    const NamedArrays arrays = import_every_hdf5(folder() / "every.h5");
    CHECK(arrays.size() == 5);
    CHECK(counts_up<float>(arrays.at("weights/conv/w")));
    CHECK(arrays.at("weights/conv/w").shape() == Shape{4, 3, 2});
    CHECK(counts_up<float>(arrays.at("weights/conv/b")));
    CHECK(arrays.at("steps").values<std::int64_t>()[0] == 7);
    CHECK(arrays.at("again").values<std::int64_t>()[0] == 7);
    CHECK(arrays.at("none").shape() == Shape{0, 2});
    const auto error = [](const char* name) {
        try {
            (void)import_every_hdf5(folder() / name);
        } catch (const Error& failed) {
            return std::string(failed.what());
        }
        return std::string("no error");
    };
    CHECK_THAT(error("several.h5"), Contains("several.h5: ") && Contains("'group/relative' is a soft link"));
    CHECK_THAT(error("external_storage.h5"), Contains("'data': its values are in other files (external storage)"));
    CHECK_THAT(error("text.h5"), Contains("'data': its elements are text"));
}

TEST_CASE("whatever bytes of an HDF5 file are changed, there is an array of its size or an error, and this process lives on") {
    const fs::path mutated = folder() / "mutated.h5";
    int arrays = 0, errors = 0;
    std::mt19937 random(5);
    for (const char* name : {"gzip.h5", "lzf.h5", "several.h5", "every.h5", "old.h5", "external_storage.h5"}) {
        const std::string good = test::file_text(folder() / name);
        const std::map<std::string, std::string> chosen{{"several.h5", "group/deeper/b"}, {"every.h5", "weights/conv/b"}};
        const std::string array = chosen.contains(name) ? chosen.at(name) : "";
        for (int round = 0; round < 100; ++round) {
            std::string bytes = good;
            for (std::uint32_t i = random() % 8 + 1; i > 0; --i) {
                // most of the file's structure stands in its first two thousand bytes
                const std::size_t at = random() % (random() % 2 == 0 ? bytes.size() : std::min<std::size_t>(bytes.size(), 2048));
                bytes[at] = random() % 2 == 0 ? static_cast<char>(random()) : static_cast<char>(bytes[at] ^ 1 << random() % 8);
            }
            if (round % 10 == 9) bytes.resize(random() % bytes.size());
            write(mutated, bytes);
            try {
                if (round % 5 == 0)
                    for (const auto& [path, one] : import_every_hdf5(mutated))
                        CHECK(one.bytes().size() <= kImportMaxExpansion * kImportMaxWidening * bytes.size());
                const Array read = import_hdf5(mutated, array);
                CHECK(read.bytes().size() == static_cast<std::size_t>(read.count()) * size_of(read.dtype()));
                CHECK(read.bytes().size() <= kImportMaxExpansion * kImportMaxWidening * bytes.size());
                CHECK_FALSE(::memmem(read.bytes().data(), read.bytes().size(), "secret!!", 8));
                ++arrays;
            } catch (const Error& error) {
                CHECK(error.code() == ExitCode::Store);
                ++errors;
            }
        }
    }
    CHECK(arrays > 0);
    CHECK(errors > 0);
    rusage used{};
    ::getrusage(RUSAGE_CHILDREN, &used);
    CHECK(used.ru_maxrss < (1 << 20));  // in KiB: none took a gigabyte
}

TEST_CASE("output of the reader's process is checked like the file") {
    const std::string elements(24, 'x');
    const std::string good = import_header(DType::Float32, {3, 2}) + elements;
    for (std::size_t piece = 1; piece <= good.size(); ++piece) {
        const auto array = received(good, 1000, piece);
        REQUIRE(array);
        CHECK(array->shape() == Shape{3, 2});
    }
    for (std::size_t cut = 0; cut < good.size(); ++cut) CHECK_FALSE(received(good.substr(0, cut), 1000, 7));
    CHECK_FALSE(received(good + "y", 1000, 7));
    CHECK(received(import_header(DType::UInt8, {0, 5}), 1000, 3)->shape() == Shape{0, 5});
    CHECK(received(import_header(DType::UInt8, {}) + "x", 1000, 3)->shape().empty());
    CHECK_FALSE(received("satdl-array-2\n" + good.substr(14), 1000, 7));
    ImportReceiver type(1000, ImportReceiver::Wanted::Type);
    CHECK(type.take(bytes_of(import_header(DType::Float32, {3, 2}))));
    CHECK(type.type() == ArrayType{DType::Float32, {3, 2}});
    CHECK_FALSE(type.take(bytes_of("y")));
    std::string other = good;
    other[kImportMagic.size()] = 9;  // element type
    CHECK_FALSE(received(other, 1000, 7));
    other = good;
    other[kImportMagic.size() + 1] = 33;  // dimensions
    CHECK_FALSE(received(other, 1000, 7));
    CHECK_FALSE(received(import_header(DType::UInt8, {1 << 30}), 1000, 7));  // more than the file's size warrants
    CHECK_FALSE(received(import_header(DType::UInt8, {-1}), 1000, 7));
    CHECK_FALSE(received(import_header(DType::Float64, {std::int64_t{1} << 40, std::int64_t{1} << 40}), 1000, 7));
}

TEST_CASE("output of the reader's process for every array is checked, too") {
    const auto received_all = [](const std::string& message, std::size_t piece) -> std::optional<NamedArrays> {
        ImportEveryReceiver receiver(1000);
        for (std::size_t at = 0; at < message.size(); at += piece)
            if (!receiver.take(bytes_of(message).subspan(at, std::min(piece, message.size() - at)))) return std::nullopt;
        return std::move(receiver).arrays();
    };
    const auto named = [](const std::string& name, const std::string& rest) {
        const auto length = static_cast<std::uint32_t>(name.size());
        return std::string(reinterpret_cast<const char*>(&length), sizeof length) + name + rest;
    };
    const std::string one = named("a/b", import_header(DType::Float32, {3, 2}) + std::string(24, 'x'));
    const std::string none = named("c", import_header(DType::UInt8, {0, 5})), scalar = named("d", import_header(DType::UInt8, {}) + "x");
    const std::string good = none + one + scalar;
    for (std::size_t piece = 1; piece <= good.size(); ++piece) {
        const auto arrays = received_all(good, piece);
        REQUIRE(arrays);
        CHECK(arrays->size() == 3);
        CHECK(arrays->at("a/b").shape() == Shape{3, 2});
        CHECK(arrays->at("c").shape() == Shape{0, 5});
        CHECK(arrays->at("d").shape().empty());
    }
    const auto is_whole = [&](std::size_t cut) { return cut == 0 || cut == none.size() || cut == none.size() + one.size(); };
    for (std::size_t cut = 0; cut < good.size(); ++cut) CHECK(received_all(good.substr(0, cut), 7).has_value() == is_whole(cut));
    CHECK_FALSE(received_all(one + one, 7));                     // two of one name
    CHECK_FALSE(received_all(named("", one.substr(7)), 7));      // without a name
    CHECK_FALSE(received_all(std::string(8, '\xff') + one, 7));  // an endless name
    const std::string large = import_header(DType::UInt8, {4'000'000}) + std::string(4'000'000, 'x');
    CHECK(received_all(named("a", large), 1 << 16));
    CHECK_FALSE(received_all(named("a", large) + named("b", large), 1 << 16));  // together more than the file's size warrants
}
