// A tensor without LibTorch: element type, shape, and shared or mapped bytes (dense, C order, little-endian).
//
// Arrays are values: copying shares the bytes, which never change once the array is built. That is what lets stages
// pass tensors on without a copy while the store still writes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/core/digest.h"

namespace satdl {

enum class DType { UInt8, Int32, Int64, Float32, Float64 };

[[nodiscard]] std::string_view name_of(DType dtype);  // "float32"
[[nodiscard]] std::optional<DType> dtype_from_name(std::string_view name);
[[nodiscard]] std::size_t size_of(DType dtype);  // bytes of one element

template <typename T>
inline constexpr DType kDTypeOf = [] {
    if constexpr (std::is_same_v<T, std::uint8_t>) return DType::UInt8;
    else if constexpr (std::is_same_v<T, std::int32_t>) return DType::Int32;
    else if constexpr (std::is_same_v<T, std::int64_t>) return DType::Int64;
    else if constexpr (std::is_same_v<T, float>) return DType::Float32;
    else {
        static_assert(std::is_same_v<T, double>);
        return DType::Float64;
    }
}();

using Shape = std::vector<std::int64_t>;

[[nodiscard]] std::string shape_text(const Shape& shape);  // "[60000, 1, 28, 28]"

struct ArrayType {
    DType dtype = DType::UInt8;
    Shape shape{};
    bool operator==(const ArrayType&) const = default;
};

// The number of elements; throws Error{Usage} on a negative extent or where it overflows 2^62.
[[nodiscard]] std::int64_t element_count(const Shape& shape);

class Array {
public:
    Array() : Array(DType::UInt8, {0}, {}, nullptr) {}
    // Borrows `bytes` from whatever `owner` keeps alive (heap, mapped file, an at::Tensor).
    // Precondition: bytes.size() == element_count(shape) * size_of(dtype).
    Array(DType dtype, Shape shape, std::span<const std::byte> bytes, std::shared_ptr<const void> owner);

    // Copies `values`; for small arrays and tests.
    template <typename T>
    [[nodiscard]] static Array of(Shape shape, std::span<const T> values) {
        return copy_of(kDTypeOf<T>, std::move(shape), std::as_bytes(values));
    }
    [[nodiscard]] static Array copy_of(DType dtype, Shape shape, std::span<const std::byte> bytes);

    [[nodiscard]] DType dtype() const { return dtype_; }
    [[nodiscard]] const Shape& shape() const { return shape_; }
    [[nodiscard]] std::int64_t count() const { return element_count(shape_); }
    [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }
    [[nodiscard]] const std::shared_ptr<const void>& owner() const { return owner_; }

    // The elements. Throws Error{StageFailed} if T is not this array's element type.
    template <typename T>
    [[nodiscard]] std::span<const T> values() const {
        check_dtype(kDTypeOf<T>);
        return {reinterpret_cast<const T*>(bytes_.data()), bytes_.size() / sizeof(T)};
    }

    // SHA-256 over dtype, shape and the tree digest of the bytes; computed at the first call, for all copies.
    [[nodiscard]] Digest digest() const;

private:
    struct DigestOnce;
    void check_dtype(DType wanted) const;

    DType dtype_;
    Shape shape_;
    std::span<const std::byte> bytes_;
    std::shared_ptr<const void> owner_;
    std::shared_ptr<DigestOnce> digest_;
};

// What one port carries: one array under the name "" (an array port), or several by name (a model port).
using NamedArrays = std::map<std::string, Array>;

}  // namespace satdl
