#include "pipeline/array_files/elements.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace satdl {
namespace {

struct ElementTraits {
    Element element;
    std::string_view name;
    std::size_t bytes;
    DType dtype;
};

constexpr std::array<ElementTraits, 12> kTraits{{
    {Element::Bool, "bool", 1, DType::UInt8},
    {Element::Int8, "int8", 1, DType::Int32},
    {Element::UInt8, "uint8", 1, DType::UInt8},
    {Element::Int16, "int16", 2, DType::Int32},
    {Element::UInt16, "uint16", 2, DType::Int32},
    {Element::Int32, "int32", 4, DType::Int32},
    {Element::UInt32, "uint32", 4, DType::Int64},
    {Element::Int64, "int64", 8, DType::Int64},
    {Element::UInt64, "uint64", 8, DType::Int64},
    {Element::Float16, "float16", 2, DType::Float32},
    {Element::Float32, "float32", 4, DType::Float32},
    {Element::Float64, "float64", 8, DType::Float64},
}};

const ElementTraits& traits_of(Element element) { return kTraits.at(static_cast<std::size_t>(element)); }

// IEEE 754 binary16: a sign, 5 bits of exponent, 10 of fraction. float32 has all its values.
float from_half(std::uint16_t half) {
    using Limits = std::numeric_limits<float>;
    const int exponent = half >> 10 & 0x1f;
    const int fraction = half & 0x3ff;
    float magnitude = 0;
    if (exponent == 0x1f) magnitude = fraction == 0 ? Limits::infinity() : Limits::quiet_NaN();
    else if (exponent == 0) magnitude = std::ldexp(static_cast<float>(fraction), -24);
    else magnitude = std::ldexp(static_cast<float>(fraction + 0x400), exponent - 25);
    return half >> 15 != 0 ? -magnitude : magnitude;
}

void swap_bytes(std::span<std::byte> bytes, std::size_t element) {
    for (std::size_t i = 0; i < bytes.size(); i += element) std::ranges::reverse(bytes.subspan(i, element));
}

template <typename From, typename To, typename Convert>
void convert(std::span<const std::byte> from, std::span<std::byte> to, Convert one) {
    for (std::size_t i = 0; i < from.size() / sizeof(From); ++i) {
        From value;
        std::memcpy(&value, from.data() + i * sizeof(From), sizeof value);
        const To wide = one(value);
        std::memcpy(to.data() + i * sizeof(To), &wide, sizeof wide);
    }
}

template <typename From, typename To>
void convert(std::span<const std::byte> from, std::span<std::byte> to) {
    convert<From, To>(from, to, [](From value) { return static_cast<To>(value); });
}

bool all_fit_int64(std::span<const std::byte> from) {
    for (std::size_t i = 0; i < from.size(); i += sizeof(std::uint64_t)) {
        if ((from[i + 7] & std::byte{0x80}) != std::byte{0}) return false;
    }
    return true;
}

}  // namespace

std::string_view name_of(Element element) { return traits_of(element).name; }
std::size_t size_of(Element element) { return traits_of(element).bytes; }
DType dtype_of(Element element) { return traits_of(element).dtype; }

bool widen(StoredElement stored, std::span<std::byte> from, std::span<std::byte> to) {
    static_assert(std::endian::native == std::endian::little);
    if (stored.big_endian) swap_bytes(from, size_of(stored.element));
    switch (stored.element) {
        case Element::Bool: convert<std::uint8_t, std::uint8_t>(from, to, [](std::uint8_t value) { return value != 0; }); break;
        case Element::Int8: convert<std::int8_t, std::int32_t>(from, to); break;
        case Element::Int16: convert<std::int16_t, std::int32_t>(from, to); break;
        case Element::UInt16: convert<std::uint16_t, std::int32_t>(from, to); break;
        case Element::UInt32: convert<std::uint32_t, std::int64_t>(from, to); break;
        case Element::Float16: convert<std::uint16_t, float>(from, to, from_half); break;
        case Element::UInt64:
            if (!all_fit_int64(from)) return false;
            [[fallthrough]];
        case Element::UInt8:
        case Element::Int32:
        case Element::Int64:
        case Element::Float32:
        case Element::Float64:
            if (from.data() != to.data()) std::ranges::copy(from, to.begin());
            break;
    }
    return true;
}

}  // namespace satdl
