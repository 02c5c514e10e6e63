#include "pipeline/core/array.h"

#include <catch2/catch.hpp>

#include <array>
#include <vector>

#include "pipeline/core/error.h"

using namespace satdl;

TEST_CASE("element types and their names are one to one") {
    for (const DType dtype : {DType::UInt8, DType::Int32, DType::Int64, DType::Float32, DType::Float64}) {
        CHECK(dtype_from_name(name_of(dtype)) == dtype);
    }
    CHECK(name_of(DType::Float32) == "float32");
    CHECK(size_of(DType::UInt8) == 1);
    CHECK(size_of(DType::Float64) == 8);
    CHECK_FALSE(dtype_from_name("Float32"));
    CHECK_FALSE(dtype_from_name(""));
}

TEST_CASE("the elements of a shape are counted, and absurd shapes refused") {
    CHECK(element_count({}) == 1);
    CHECK(element_count({60000, 1, 28, 28}) == 47'040'000);
    CHECK(element_count({0, std::int64_t{1} << 62, std::int64_t{1} << 62}) == 0);
    CHECK(element_count({std::int64_t{1} << 31, std::int64_t{1} << 31}) == std::int64_t{1} << 62);
    CHECK_THROWS_AS(element_count({std::int64_t{1} << 31, (std::int64_t{1} << 31) + 1}), Error);
    CHECK_THROWS_AS(element_count({3, -1}), Error);
    CHECK(shape_text({2, 3}) == "[2, 3]");
    CHECK(shape_text({}) == "[]");
}

TEST_CASE("copies of an array share its bytes") {
    const std::vector<float> values{1, 2, 3, 4, 5, 6};
    const Array array = Array::of<float>({2, 3}, values);
    const Array copy = array;
    CHECK(copy.bytes().data() == array.bytes().data());
    CHECK(copy.dtype() == DType::Float32);
    CHECK(copy.count() == 6);
    CHECK(copy.values<float>()[5] == 6.0F);
}

TEST_CASE("the digest of an array covers bytes, type and shape") {
    const std::array<std::int32_t, 4> values{1, 2, 3, 4};
    const Digest digest = Array::of<std::int32_t>({4}, values).digest();
    CHECK(digest == Array::of<std::int32_t>({4}, values).digest());
    CHECK(digest != Array::of<std::int32_t>({2, 2}, values).digest());
    CHECK(digest != Array::copy_of(DType::Float32, {4}, std::as_bytes(std::span(values))).digest());
    const std::array<std::int32_t, 4> others{1, 2, 3, 5};
    CHECK(digest != Array::of<std::int32_t>({4}, others).digest());
}

TEST_CASE("to read an array as another type is an error of the stage that does it, and ends no other") {
    const std::array<double, 1> values{1};
    const Array array = Array::of<double>({1}, values);
    CHECK(array.values<double>()[0] == 1);
    CHECK_THROWS_WITH(array.values<float>(), Catch::Matchers::Contains("an array of float64 cannot be read as float32"));
}

TEST_CASE("an array keeps its owner alive") {
    auto owner = std::make_shared<std::vector<std::byte>>(8);
    const std::weak_ptr<const void> watched = owner;
    {
        const Array array(DType::Int64, {1}, *owner, owner);
        owner.reset();
        CHECK_FALSE(watched.expired());
    }
    CHECK(watched.expired());
}
