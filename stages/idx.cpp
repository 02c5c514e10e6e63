#include "stages/idx.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "stages/binary_file.h"
#include "stages/fresh_array.h"

namespace satdl::stages {
namespace {

DType element_type(const BinaryFile& file, unsigned code) {
    switch (code) {
        case 0x08: return DType::UInt8;
        case 0x0C: return DType::Int32;
        case 0x0D: return DType::Float32;
        case 0x0E: return DType::Float64;
        default: break;
    }
    throw file.error(fmt::format("its IDX element type 0x{:02x} is not supported", code),
                     "uint8 (0x08), int32 (0x0c), float32 (0x0d) and float64 (0x0e) can");
}

std::int64_t big_endian(std::span<const std::byte, 4> bytes) {
    std::int64_t number = 0;
    for (const std::byte byte : bytes) number = number << 8 | std::to_integer<std::int64_t>(byte);
    return number;
}

// The extents, and that they say exactly what the rest of the file holds.
Shape read_extents(BinaryFile& file, std::size_t dimensions, DType dtype) {
    Shape shape;
    for (std::size_t i = 0; i < dimensions; ++i) {
        std::array<std::byte, 4> word{};
        file.read(word, "its IDX header");
        shape.push_back(big_endian(word));
    }
    file.expect_array(dtype, shape);
    return shape;
}

// What to do with a file that is no IDX file, from what it is instead.
std::string advice(std::span<const std::byte, 4> magic) {
    const std::string_view start(reinterpret_cast<const char*>(magic.data()), magic.size());
    if (start.starts_with("\x1f\x8b")) return "it is compressed with gzip: gunzip it first";
    if (start.starts_with("PK")) return "it is a zip archive: unpack it first";
    if (start == "\x93NUM") return "it is a NumPy file: give it a name that ends with .npy";
    return "an IDX file (the format of MNIST) starts with 00 00, the element type, the number of dimensions, the extents";
}

void swap_bytes(std::span<std::byte> bytes, std::size_t element) {
    if (element == 1) return;
    for (std::size_t i = 0; i < bytes.size(); i += element) std::ranges::reverse(bytes.subspan(i, element));
}

}  // namespace

Array read_idx(const std::filesystem::path& path, std::optional<std::int64_t> limit) {
    BinaryFile file(path);
    std::array<std::byte, 4> magic{};
    file.read(magic, "its IDX header");
    if (magic[0] != std::byte{0} || magic[1] != std::byte{0}) {
        throw file.error(fmt::format("is not an IDX file: it starts with {:02x} {:02x}, not with two zero bytes",
                                     std::to_integer<unsigned>(magic[0]), std::to_integer<unsigned>(magic[1])),
                         advice(magic));
    }
    const DType dtype = element_type(file, std::to_integer<unsigned>(magic[2]));
    const auto dimensions = std::to_integer<std::size_t>(magic[3]);
    if (dimensions == 0) {
        throw file.error("is an IDX file without dimensions", "its fourth byte is the number of dimensions");
    }
    Shape shape = read_extents(file, dimensions, dtype);
    if (limit) shape[0] = std::min(shape[0], *limit);
    FreshArray array(dtype, std::move(shape));
    file.read(array.bytes(), "its array");
    swap_bytes(array.bytes(), size_of(dtype));
    return std::move(array).finish();
}

}  // namespace satdl::stages
