#include "pipeline/store/remembered_array_types.h"

#include <catch2/catch.hpp>
#include <fstream>

#include "pipeline/core/error.h"
#include "pipeline/store/source_digest.h"
#include "tests/support/temp_folder.h"

using namespace satdl;
using Catch::Matchers::Contains;

namespace {

void write_file(const std::filesystem::path& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

// HDF5 by its signature, but nothing that HDF5 could read.
const std::string kUnreadable = "\x89HDF\r\n\x1a\n and no more";

}  // namespace

TEST_CASE("what an HDF5 file's header says is remembered by content and array, and no process reads it again") {
    const test::TempFolder folder;
    const auto files = real_file_system();
    Index index(folder.path() / "index.sqlite");
    const auto path = folder.path() / "a.h5";
    write_file(path, kUnreadable);
    CHECK_THROWS_WITH(remembered_array_types(index, *files)(path, {}), Contains("HDF5 cannot open it"));
    const ArrayType type{DType::Float32, {4, 3}};
    index.put_array_type(sha256(kUnreadable), "", type);
    index.put_array_type(sha256(kUnreadable), "g/x", {DType::Int64, {}});
    CHECK(remembered_array_types(index, *files)(path, {}) == type);
    CHECK(remembered_array_types(index, *files)(path, {.name = "g/x"}) == ArrayType{DType::Int64, {}});
    write_file(path, kUnreadable + "!");
    CHECK_THROWS_WITH(remembered_array_types(index, *files)(path, {}), Contains("HDF5 cannot open it"));
}

TEST_CASE("what the images of a folder are is remembered, as long as none changes") {
    const test::TempFolder folder;
    const auto files = real_file_system();
    Index index(folder.path() / "index.sqlite");
    const auto data = folder.path() / "data";
    std::filesystem::create_directories(data / "a");
    write_file(data / "a/1.png", "no image");
    CHECK_THROWS_WITH(remembered_array_types(index, *files)(data, {}), Contains("a/1.png: is not a PNG or JPEG image"));
    SourceFile source;
    source.path = data;
    source.is_folder = true;
    const ArrayType type{DType::UInt8, {1, 3, 8, 8}};
    index.put_array_type(source_digest(source, *files), "", type);
    CHECK(remembered_array_types(index, *files)(data, {}) == type);
    write_file(data / "a/2.png", "nor this");
    CHECK_THROWS_WITH(remembered_array_types(index, *files)(data, {}), Contains("is not a PNG or JPEG image"));
}

TEST_CASE("a cheap header is read, and is read once for all points of a sweep") {
    const test::TempFolder folder;
    const auto files = real_file_system();
    Index index(folder.path() / "index.sqlite");
    const auto path = folder.path() / "a.csv";
    write_file(path, "1,2,3\n");
    const ArrayTypeReader types = remembered_array_types(index, *files);
    CHECK(types(path, {}) == ArrayType{DType::Float64, {-1, 3}});
    write_file(path, "1,2,3,4\n");
    CHECK(types(path, {}) == ArrayType{DType::Float64, {-1, 3}});
    CHECK(types(path, {.columns = Columns{4, 4}}) == ArrayType{DType::Float64, {-1}});
    CHECK(remembered_array_types(index, *files)(path, {}) == ArrayType{DType::Float64, {-1, 4}});
}
