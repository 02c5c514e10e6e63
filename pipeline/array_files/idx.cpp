#include "pipeline/array_files/idx.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "pipeline/array_files/file_kind.h"

namespace satdl {
namespace {

struct IdxHeader {
    Element element = Element::UInt8;
    Shape shape;
};

Element element_of(const BinaryFile& file, unsigned code) {
    switch (code) {
        case 0x08: return Element::UInt8;
        case 0x09: return Element::Int8;
        case 0x0B: return Element::Int16;
        case 0x0C: return Element::Int32;
        case 0x0D: return Element::Float32;
        case 0x0E: return Element::Float64;
        default: break;
    }
    throw file.error(fmt::format("its IDX element type 0x{:02x} is not supported", code),
                     "IDX has uint8 (0x08), int8 (0x09), int16 (0x0b), int32 (0x0c), float32 (0x0d) and float64 (0x0e)");
}

std::int64_t big_endian(std::span<const std::byte, 4> bytes) {
    std::int64_t number = 0;
    for (const std::byte byte : bytes) number = number << 8 | std::to_integer<std::int64_t>(byte);
    return number;
}

// The header; its extents say exactly what the rest of the file holds.
IdxHeader read_idx_header(BinaryFile& file) {
    std::array<std::byte, 4> magic{};
    if (file.size() > magic.size() && !file.peek(0, 2).starts_with(std::string_view("\0\0", 2)))
        throw wrong_kind(file, "an IDX file",
                         "an IDX file (the format of MNIST) starts with 00 00, the element type, the number of dimensions, the extents");
    file.read(magic, "its IDX header");
    IdxHeader header{element_of(file, std::to_integer<unsigned>(magic[2])), {}};
    const auto dimensions = std::to_integer<std::size_t>(magic[3]);
    if (dimensions == 0) throw file.error("is an IDX file without dimensions", "its fourth byte is the number of dimensions");
    for (std::size_t i = 0; i < dimensions; ++i) {
        std::array<std::byte, 4> word{};
        file.read(word, "its IDX header");
        header.shape.push_back(big_endian(word));
    }
    file.expect_array(header.element, header.shape);
    return header;
}

}  // namespace

ArrayType read_idx_type(BinaryFile& file) {
    IdxHeader header = read_idx_header(file);
    return {dtype_of(header.element), std::move(header.shape)};
}

Array read_idx(const std::filesystem::path& path, std::optional<std::int64_t> limit) {
    BinaryFile file(path);
    IdxHeader header = read_idx_header(file);
    if (limit) header.shape[0] = std::min(header.shape[0], *limit);
    return file.read_array({.element = header.element, .big_endian = true}, std::move(header.shape));
}

}  // namespace satdl
