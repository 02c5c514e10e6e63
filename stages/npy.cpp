// The header is the text of a Python dictionary with three known keys. A reader of Python literals is not needed: NumPy
// writes it in one way, {'descr': '<f4', 'fortran_order': False, 'shape': (60000, 28, 28), }, and so does who imitates it.
#include "stages/npy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "stages/binary_file.h"
#include "stages/fresh_array.h"

namespace satdl::stages {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kLongestHeader = 1 << 16;

std::span<std::byte> bytes_of(std::string& text) { return std::as_writable_bytes(std::span(text)); }

// The header's text, after the magic bytes and the version.
std::string read_header(BinaryFile& file) {
    std::string start(8, '\0');
    file.read(bytes_of(start), "its .npy header");
    if (!start.starts_with(kMagic)) throw file.error("is not a .npy file: it does not start with \\x93NUMPY");
    const int version = start[6];
    if (version < 1 || version > 3) throw file.error(fmt::format("its .npy version {} is not supported", version));
    std::string length(version == 1 ? 2 : 4, '\0');
    file.read(bytes_of(length), "its .npy header");
    std::size_t size = 0;
    for (std::size_t i = length.size(); i-- > 0;) size = size << 8 | static_cast<unsigned char>(length[i]);
    if (size > kLongestHeader) throw file.error(fmt::format("its .npy header is {} bytes long", size));
    std::string header(size, '\0');
    file.read(bytes_of(header), "its .npy header");
    return header;
}

// What stands after 'key': in the header, blanks skipped.
std::string_view after_key(const BinaryFile& file, std::string_view header, std::string_view key) {
    const std::string quoted = fmt::format("'{}':", key);
    const std::size_t at = header.find(quoted);
    if (at == std::string_view::npos) throw file.error(fmt::format("its .npy header has no '{}'", key));
    const std::string_view rest = header.substr(at + quoted.size());
    return rest.substr(std::min(rest.find_first_not_of(' '), rest.size()));
}

DType element_type(const BinaryFile& file, std::string_view text) {
    static constexpr std::array<std::pair<std::string_view, DType>, 6> kTypes{{{"'|u1'", DType::UInt8},
                                                                               {"'<u1'", DType::UInt8},
                                                                               {"'<i4'", DType::Int32},
                                                                               {"'<i8'", DType::Int64},
                                                                               {"'<f4'", DType::Float32},
                                                                               {"'<f8'", DType::Float64}}};
    for (const auto& [name, dtype] : kTypes) {
        if (text.starts_with(name)) return dtype;
    }
    throw file.error(
        fmt::format("its element type {} is not supported", printable(text.substr(0, text.find(',')))),
        "supported are uint8, int32, int64, float32 and float64, little-endian: array.astype('float32')");
}

std::optional<Shape> read_shape(std::string_view text) {
    if (!text.starts_with('(')) return std::nullopt;
    Shape shape;
    for (text.remove_prefix(1); !text.starts_with(')');) {
        std::int64_t extent = 0;
        const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), extent);
        if (failed != std::errc() || extent < 0) return std::nullopt;
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
        shape.push_back(extent);
        const std::size_t next = text.find_first_not_of(", ");
        if (next == std::string_view::npos || (next == 0 && text[0] != ')')) return std::nullopt;
        text.remove_prefix(next);
    }
    return shape;
}

}  // namespace

Array read_npy(const std::filesystem::path& path, std::optional<std::int64_t> limit) {
    BinaryFile file(path);
    const std::string header = read_header(file);
    const DType dtype = element_type(file, after_key(file, header, "descr"));
    if (!after_key(file, header, "fortran_order").starts_with("False")) {
        throw file.error("is in Fortran order", "save it as numpy.ascontiguousarray(array)");
    }
    std::optional<Shape> shape = read_shape(after_key(file, header, "shape"));
    if (!shape) throw file.error("its .npy header has no valid shape");
    file.expect_array(dtype, *shape);
    if (limit && !shape->empty()) shape->front() = std::min(shape->front(), *limit);
    FreshArray array(dtype, *std::move(shape));
    file.read(array.bytes(), "its array");
    return std::move(array).finish();
}

}  // namespace satdl::stages
