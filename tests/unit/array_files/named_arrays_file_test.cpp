#include "pipeline/array_files/named_arrays_file.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <limits>

#include "pipeline/array_files/array_file.h"
#include "pipeline/core/error.h"
#include "tests/support/temp_folder.h"

using namespace satdl;
using satdl::test::TempFolder;
using Catch::Matchers::Contains;

namespace {

template <typename T>
Array array(Shape shape, std::vector<T> values) {
    return Array::of<T>(std::move(shape), values);
}

NamedArrays sample() {
    constexpr double kInf = std::numeric_limits<double>::infinity();
    return {{"bytes", array<std::uint8_t>({3}, {0, 1, 255})},
            {"deep/whole", array<std::int32_t>({1, 2}, {-1, 1 << 30})},
            {"long", array<std::int64_t>({2}, {std::numeric_limits<std::int64_t>::min(), 7})},
            {"none", array<float>({0, 4}, {})},
            {"real", array<float>({2, 2}, {0.1F, -2, 3e-38F, 4})},
            {"single", array<double>({}, {-kInf})}};
}

void check_equal(const NamedArrays& a, const NamedArrays& b) {
    REQUIRE(a.size() == b.size());
    for (const auto& [name, one] : a) {
        INFO(name);
        REQUIRE(b.contains(name));
        CHECK(b.at(name).digest() == one.digest());
    }
}

std::string safetensors(const std::string& header, const std::string& data = "") {
    std::string bytes(8, '\0');
    for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>(header.size() >> 8 * i & 0xff);
    return bytes + header + data;
}

}  // namespace

TEST_CASE("arrays by name are the same after .npz and .safetensors") {
    const TempFolder folder;
    write_npz(folder.path() / "a.npz", sample());
    check_equal(sample(), read_named_arrays(folder.path() / "a.npz"));
    write_safetensors(folder.path() / "a.safetensors", sample(), {{"about", "a test"}});
    check_equal(sample(), read_named_arrays(folder.path() / "a.safetensors"));
    CHECK(safetensors_metadata(folder.path() / "a.safetensors") == std::map<std::string, std::string>{{"about", "a test"}});
    CHECK(safetensors_metadata(folder.path() / "a.npz").empty());
}

TEST_CASE("the headers of .npz and .safetensors files say what reading them gives") {
    const TempFolder folder;
    write_npz(folder.path() / "a.npz", sample());
    write_safetensors(folder.path() / "a.safetensors", sample());
    for (const char* name : {"a.npz", "a.safetensors"}) {
        const auto types = named_array_types(folder.path() / name);
        REQUIRE(types.size() == sample().size());
        for (const auto& [array, one] : sample()) CHECK(types.at(array) == ArrayType{one.dtype(), one.shape()});
    }
    std::ofstream(folder.path() / "half") << safetensors(R"({"x":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}})", "abcd");
    CHECK(named_array_types(folder.path() / "half").at("x") == ArrayType{DType::Float32, {2}});
    std::ofstream(folder.path() / "text") << "hello";
    CHECK_THROWS_WITH(named_array_types(folder.path() / "text"), Contains("is not a .safetensors or .npz file"));
}

TEST_CASE("an array is the same after .npy and, as float64, after CSV") {
    const TempFolder folder;
    for (const auto& [name, one] : sample()) {
        std::filesystem::remove(folder.path() / "a.npy");
        if (one.count() == 0) continue;
        write_npy(folder.path() / "a.npy", one);
        CHECK(read_array_file(folder.path() / "a.npy", {}).digest() == one.digest());
    }
    write_csv(folder.path() / "a.csv", array<float>({2, 2}, {0.5F, -2, 3e-38F, 4}));
    CHECK(read_array_file(folder.path() / "a.csv", {}).digest() == array<double>({2, 2}, {0.5, -2, 3e-38, 4}).digest());
    CHECK_THROWS_WITH(write_csv(folder.path() / "b.csv", array<float>({1, 1, 1}, {1})), Contains("[1, 1, 1] cannot be written as CSV"));
}

TEST_CASE("NumPy reads what is written, and writes what is read") {
    const TempFolder folder;
    write_npz(folder.path() / "a.npz", sample());
    write_npy(folder.path() / "a.npy", sample().at("real"));
    const std::string program =
        "import numpy as np; a = np.load('a.npz'); assert sorted(a.files) == ['bytes', 'deep/whole', 'long', 'none', 'real', 'single']; "
        "assert a['long'].tolist() == [-2**63, 7] and a['none'].shape == (0, 4) and a['single'] == -np.inf; "
        "assert (np.load('a.npy') == a['real']).all(); np.savez_compressed('b.npz', **dict(a))";
    const std::string command = "cd '" + folder.path().string() + "' && '" SATDL_PYTHON "' -c \"" + program + "\"";
    REQUIRE(std::system(command.c_str()) == 0);
    check_equal(sample(), read_named_arrays(folder.path() / "b.npz"));
}

TEST_CASE("half precision of safetensors becomes float32") {
    const TempFolder folder;
    std::ofstream(folder.path() / "a") << safetensors(
        R"({"h":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"b":{"dtype":"BF16","shape":[1],"data_offsets":[4,6]}})",
        std::string("\x00\x3c\x00\xc0\x80\x3f", 6));
    const NamedArrays read = read_named_arrays(folder.path() / "a");
    CHECK(read.at("h").values<float>()[0] == 1.0F);
    CHECK(read.at("h").values<float>()[1] == -2.0F);
    CHECK(read.at("b").values<float>()[0] == 1.0F);
}

TEST_CASE("files that are neither, or damaged, are refused by name") {
    const TempFolder folder;
    const auto error = [&](const std::string& bytes) {
        std::ofstream(folder.path() / "a", std::ios::binary) << bytes;
        try {
            (void)read_named_arrays(folder.path() / "a");
        } catch (const Error& failed) {
            CHECK_THAT(failed.what(), Contains((folder.path() / "a").string()));
            return std::string(failed.what());
        }
        return std::string("no error");
    };
    CHECK_THAT(error("text"), Contains("is not a .npz, .safetensors or .h5 file"));
    CHECK_THAT(error(std::string("\0\1", 2)), Contains("it has no header"));
    CHECK_THAT(error(safetensors("{}").replace(0, 8, "\xff\xff\xff\xff\xff\xff\xff\x7f")), Contains("its header is longer than the file"));
    CHECK_THAT(error(safetensors("[1]")), Contains("its header is not JSON"));
    CHECK_THAT(error(safetensors(R"({"a":1})")), Contains("its tensor 'a' is not described"));
    CHECK_THAT(error(safetensors(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", "1234")), Contains("'a' is not in the file"));
    CHECK_THAT(error(safetensors(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", "12345678")),
               Contains("other bytes than its shape says"));
    CHECK_THAT(error(safetensors(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,8]}})", "12345678")),
               Contains("'a' is not in the file"));
    CHECK_THAT(error(safetensors(R"({"a":{"dtype":"C64","shape":[1],"data_offsets":[0,8]}})", "12345678")),
               Contains("is C64, which satdl does not hold"));
}
