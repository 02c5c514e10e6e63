#include "pipeline/hdf5/hdf5_layout.h"

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <thread>

#include "pipeline/core/digest.h"
#include "pipeline/os/file_system.h"
#include "tests/support/command.h"
#include "tests/support/hdf5_writer.h"
#include "tests/support/temp_folder.h"

using namespace satdl;
using test::hdf5_writer;

namespace {

constexpr std::uint64_t kUserBlock = 4096;

std::uint64_t bytes_of(const Hdf5Tensor& tensor) {
    return static_cast<std::uint64_t>(element_count(tensor.shape)) * size_of(tensor.dtype);
}

std::string pattern(const Hdf5Tensor& tensor) {
    std::string bytes(bytes_of(tensor), '\0');
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 31 + tensor.path.size());
    return bytes;
}

std::vector<Hdf5Tensor> every_sort() {
    return {{"bytes", DType::UInt8, {5}, {{"sha256", "abc"}}},
            {"group/deeper/ints", DType::Int32, {2, 3}, {}},
            {"group/longs", DType::Int64, {1}, {}},
            {"none", DType::Float32, {0, 28}, {}},
            {"scalar", DType::Float64, {}, {{"first", "1"}, {"zweite", "größer"}, {"empty", ""}}},
            {"wide", DType::Float32, {100, 1, 28, 28}, {}}};
}

// The file as the store would write it.
void write_file(const std::filesystem::path& path, const Hdf5Layout& layout, const std::vector<Hdf5Tensor>& tensors) {
    std::vector<std::string> bytes;
    std::vector<Extent> extents;
    for (const auto& tensor : tensors) bytes.push_back(pattern(tensor));
    for (std::size_t i = 0; i < tensors.size(); ++i) {
        extents.push_back({layout.offsets[i], std::as_bytes(std::span(bytes[i]))});
    }
    for (const auto& [offset, text] : layout.metadata) extents.push_back({offset, std::as_bytes(std::span(text))});
    real_file_system()->write_new(path, layout.file_bytes, extents);
}

bool equal(const Hdf5Layout& one, const Hdf5Layout& other) {
    return one.file_bytes == other.file_bytes && one.offsets == other.offsets && one.metadata == other.metadata;
}

}  // namespace

TEST_CASE("h5py reads every tensor and attribute of a laid-out file") {
    const test::TempFolder folder;
    const auto tensors = every_sort();
    const Hdf5Layout layout = hdf5_writer()(kUserBlock, tensors, {{"satdl_key", "k"}, {"satdl_kind", "train"}});
    write_file(folder.path() / "file.h5", layout, tensors);
    const auto read = test::run_command(fmt::format("{} {}/tests/support/read_h5.py {}", SATDL_PYTHON, SATDL_SOURCE_DIR,
                                                    (folder.path() / "file.h5").string()));
    INFO(read.output);
    REQUIRE(read.status == 0);
    const auto json = nlohmann::json::parse(read.output);
    CHECK(json["user_block"] == kUserBlock);
    CHECK(json["attributes"] == nlohmann::json{{"satdl_key", "k"}, {"satdl_kind", "train"}});
    REQUIRE(json["tensors"].size() == tensors.size());
    for (std::size_t i = 0; i < tensors.size(); ++i) {
        const auto& found = json["tensors"][tensors[i].path];
        CHECK(found["dtype"] == name_of(tensors[i].dtype));
        CHECK(found["shape"] == tensors[i].shape);
        CHECK(found["sha256"] == sha256(pattern(tensors[i])).hex());
        if (bytes_of(tensors[i]) > 0) CHECK(found["offset"] == layout.offsets[i]);
        for (const auto& [name, text] : tensors[i].attributes) CHECK(found["attributes"][name] == text);
    }
}

TEST_CASE("HDF5's own tools read a laid-out file") {
    const test::TempFolder folder;
    const auto tensors = every_sort();
    write_file(folder.path() / "file.h5", hdf5_writer()(kUserBlock, tensors, {}), tensors);
    const std::string path = (folder.path() / "file.h5").string();
    const auto listed = test::run_command("h5ls -r " + path);
    CHECK(listed.status == 0);
    CHECK_THAT(listed.output, Catch::Contains("/group/deeper/ints") && Catch::Contains("Dataset {100, 1, 28, 28}"));
    const auto dumped = test::run_command("h5dump -d /group/deeper/ints " + path);
    CHECK(dumped.status == 0);
    CHECK_THAT(dumped.output, Catch::Contains("H5T_STD_I32LE"));
}

TEST_CASE("tensors lie at multiples of 4096, apart from each other and from the metadata") {
    const auto tensors = every_sort();
    const Hdf5Layout layout = hdf5_writer()(kUserBlock, tensors, {{"recipe", std::string(5000, 'r')}});
    std::map<std::uint64_t, std::uint64_t> pieces;
    for (std::size_t i = 0; i < tensors.size(); ++i) {
        CHECK(layout.offsets[i] % 4096 == 0);
        CHECK(layout.offsets[i] >= kUserBlock);
        if (bytes_of(tensors[i]) > 0) CHECK(pieces.emplace(layout.offsets[i], bytes_of(tensors[i])).second);
    }
    for (const auto& [offset, text] : layout.metadata) CHECK(pieces.emplace(offset, text.size()).second);
    std::uint64_t end = kUserBlock;
    for (const auto& [offset, bytes] : pieces) {
        CHECK(offset >= end);
        end = offset + bytes;
    }
    CHECK(end <= layout.file_bytes);
}

TEST_CASE("a huge tensor costs nothing but its place") {
    const Hdf5Layout layout = hdf5_writer()(kUserBlock, {{"huge", DType::Float64, {1'000'000, 1'000'000}, {}}}, {});
    CHECK(layout.file_bytes > 8'000'000'000'000);
    std::size_t metadata = 0;
    for (const auto& [offset, text] : layout.metadata) metadata += text.size();
    CHECK(metadata < 16384);
}

TEST_CASE("an attribute may be longer than 64 KB, and a group may hold hundreds of tensors") {
    const test::TempFolder folder;
    std::vector<Hdf5Tensor> tensors;
    for (int i = 0; i < 300; ++i) {
        tensors.push_back({fmt::format("model/tensor_{}", i), DType::Float32, {i + 1}, {{"sha256", std::string(64, 'a')}}});
    }
    const std::string recipe(200'000, 'x');
    const Hdf5Layout layout = hdf5_writer()(kUserBlock, tensors, {{"satdl_recipe", recipe}});
    write_file(folder.path() / "file.h5", layout, tensors);
    const auto read = test::run_command(fmt::format("{} {}/tests/support/read_h5.py {}", SATDL_PYTHON, SATDL_SOURCE_DIR,
                                                    (folder.path() / "file.h5").string()));
    REQUIRE(read.status == 0);
    const auto json = nlohmann::json::parse(read.output);
    CHECK(json["attributes"]["satdl_recipe"] == recipe);
    for (const auto& tensor : tensors) CHECK(json["tensors"][tensor.path]["sha256"] == sha256(pattern(tensor)).hex());
}

TEST_CASE("the layout is a pure function: equal in every call, thread and process, whatever fresh memory holds") {
    const Hdf5Layout first = hdf5_writer()(kUserBlock, every_sort(), {{"satdl_key", "k"}});
    CHECK(equal(first, hdf5_writer()(kUserBlock, every_sort(), {{"satdl_key", "k"}})));
    std::vector<std::thread> threads;
    std::vector<Hdf5Layout> layouts(4);
    for (auto& layout : layouts) {
        threads.emplace_back([&layout] { layout = hdf5_writer()(kUserBlock, every_sort(), {{"satdl_key", "k"}}); });
    }
    for (auto& thread : threads) thread.join();
    for (const auto& layout : layouts) CHECK(equal(first, layout));

    // Another process, whose malloc fills what it hands out.
    std::vector<Hdf5Tensor> many;
    for (int i = 0; i < 40; ++i) many.push_back({fmt::format("m/t{}", i), DType::Float32, {64}, {}});
    const Hdf5Layout here = hdf5_writer()(kUserBlock, many, {{"a", std::string(70'000, 'b')}});
    Sha256 digest;
    for (const auto& [offset, text] : here.metadata) digest.update(fmt::format("{}:", offset)).update(text);
    const std::string expected = digest.finish().hex();
    if (const char* const asked = std::getenv("SATDL_TEST_LAYOUT_DIGEST")) {
        CHECK(expected == asked);
        return;
    }
    for (const char* const perturb : {"85", "170"}) {
        const std::string program = (program_folder() / "hdf5_layout_test").string();
        const auto again = test::run_command(fmt::format(
            "MALLOC_PERTURB_={} SATDL_TEST_LAYOUT_DIGEST={} {} 'the layout is a pure function*'", perturb, expected, program));
        INFO(again.output);
        CHECK(again.status == 0);
    }
}

TEST_CASE("an error of HDF5 keeps its own message, and the next file is written") {
    const std::vector<Hdf5Tensor> twice{{"same", DType::UInt8, {1}, {}}, {"same", DType::UInt8, {1}, {}}};
    CHECK_THROWS_WITH(hdf5_writer()(kUserBlock, twice, {}), Catch::Contains("HDF5 cannot make the dataset 'same'"));
    CHECK_THROWS_AS(hdf5_writer()(1000, {}, {}), Error);
    CHECK_NOTHROW(hdf5_writer()(kUserBlock, every_sort(), {}));
}
