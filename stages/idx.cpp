#include "stages/idx.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
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
    throw file.error(fmt::format("its IDX element type 0x{:02x} is not one that can be read", code),
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
    std::uint64_t bytes = size_of(dtype);
    bool too_many = false;
    for (std::size_t i = 0; i < dimensions; ++i) {
        std::array<std::byte, 4> word{};
        file.read(word, "its IDX header");
        const std::int64_t extent = big_endian(word);
        shape.push_back(extent);
        too_many = __builtin_mul_overflow(bytes, static_cast<std::uint64_t>(extent), &bytes) || too_many;
    }
    if (std::ranges::find(shape, 0) != shape.end()) bytes = 0, too_many = false;
    if (too_many || bytes != file.left()) {
        throw file.error(fmt::format("elements {} of {} take {} bytes, but {} follow its header", shape_text(shape),
                                     name_of(dtype), too_many ? "over 2^64" : fmt::format("{}", bytes), file.left()),
                         "is the file whole, and uncompressed?");
    }
    return shape;
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
        const bool gzip = magic[0] == std::byte{0x1f} && magic[1] == std::byte{0x8b};
        throw file.error("is not an IDX file: it does not begin with two zero bytes",
                         gzip ? "it is compressed: gunzip it first" : "");
    }
    const DType dtype = element_type(file, std::to_integer<unsigned>(magic[2]));
    const auto dimensions = std::to_integer<std::size_t>(magic[3]);
    if (dimensions == 0) throw file.error("is not an IDX file of an array: it has no dimensions");
    Shape shape = read_extents(file, dimensions, dtype);
    if (limit) shape[0] = std::min(shape[0], *limit);
    FreshArray array(dtype, std::move(shape));
    file.read(array.bytes(), "its array");
    swap_bytes(array.bytes(), size_of(dtype));
    return std::move(array).finish();
}

}  // namespace satdl::stages
