// How files keep their elements, and what these become in an array. An element type that DType lacks is widened to the next one that has
// all its values: bool to uint8, int8, int16 and uint16 to int32, uint32 to int64, float16 to float32; uint64 to int64, value by value.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "pipeline/core/array.h"

namespace satdl {

enum class Element { Bool, Int8, UInt8, Int16, UInt16, Int32, UInt32, Int64, UInt64, Float16, Float32, Float64 };

struct StoredElement {
    Element element = Element::UInt8;
    bool big_endian = false;
};

[[nodiscard]] std::string_view name_of(Element element);  // "uint16"
[[nodiscard]] std::size_t size_of(Element element);       // bytes of one, in the file
[[nodiscard]] DType dtype_of(Element element);            // in an array

// From the bytes of a file, which it may change, to those of an array: other bytes, or the very same if an element takes as many.
// false: a uint64 is above the greatest int64.
[[nodiscard]] bool widen(StoredElement stored, std::span<std::byte> from, std::span<std::byte> to);

}  // namespace satdl
