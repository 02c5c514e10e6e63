// The header is the text of a Python dictionary with three known keys. A reader of Python literals is not needed: NumPy
// writes it in one way, {'descr': '<f4', 'fortran_order': False, 'shape': (60000, 28, 28), }, and so does who imitates it. In Python 2
// a string may be u'<f4', and a number 60000L.
#include "pipeline/array_files/npy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pipeline/array_files/array_layout.h"

namespace satdl {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kLongestHeader = 1 << 16;

struct NpyHeader {
    StoredElement stored;
    bool fortran = false;
    Shape shape;
};

std::span<std::byte> bytes_of(std::string& text) { return std::as_writable_bytes(std::span(text)); }

// The header's text, after the magic bytes and the version.
std::string read_text(BinaryFile& file) {
    std::string start(8, '\0');
    file.read(bytes_of(start), "its .npy header");
    if (!start.starts_with(kMagic))
        throw file.error("is not a .npy file: it does not start with \\x93NUMPY", "write it again with numpy.save");
    const int version = start[6];
    if (version < 1 || version > 3)
        throw file.error(fmt::format("its .npy version {} is not supported", version),
                         "versions 1 to 3 are: write it again with numpy.save");
    std::string length(version == 1 ? 2 : 4, '\0');
    file.read(bytes_of(length), "its .npy header");
    std::size_t size = 0;
    for (std::size_t i = length.size(); i-- > 0;) size = size << 8 | static_cast<unsigned char>(length[i]);
    if (size > kLongestHeader) throw file.error(fmt::format("its .npy header is {} bytes long", size), "write it again with numpy.save");
    std::string header(size, '\0');
    file.read(bytes_of(header), "its .npy header");
    return header;
}

std::string_view without_blanks(std::string_view text) { return text.substr(std::min(text.find_first_not_of(' '), text.size())); }

// What stands after 'key': in the header, blanks skipped.
std::string_view after_key(const BinaryFile& file, std::string_view header, std::string_view key) {
    for (const char quote : {'\'', '"'}) {
        const std::string quoted = fmt::format("{0}{1}{0}:", quote, key);
        const std::size_t at = header.find(quoted);
        if (at != std::string_view::npos) return without_blanks(header.substr(at + quoted.size()));
    }
    throw file.error(fmt::format("its .npy header has no '{}'", key), "write it again with numpy.save");
}

// '<f4', "<f4" or u'<f4': a byte order, a kind, a number of bytes.
StoredElement read_element(const BinaryFile& file, std::string_view text) {
    static constexpr std::array<std::pair<std::string_view, Element>, 12> kElements{{{"b1", Element::Bool},
                                                                                   {"i1", Element::Int8},
                                                                                   {"u1", Element::UInt8},
                                                                                   {"i2", Element::Int16},
                                                                                   {"u2", Element::UInt16},
                                                                                   {"i4", Element::Int32},
                                                                                   {"u4", Element::UInt32},
                                                                                   {"i8", Element::Int64},
                                                                                   {"u8", Element::UInt64},
                                                                                   {"f2", Element::Float16},
                                                                                   {"f4", Element::Float32},
                                                                                   {"f8", Element::Float64}}};
    std::string_view code = text;
    if (code.starts_with('u')) code.remove_prefix(1);
    if (code.size() >= 5 && (code[0] == '\'' || code[0] == '"') && code[4] == code[0]) {
        const char order = code[1];
        for (const auto& [name, element] : kElements) {
            if (code.substr(2, 2) != name || !(order == '<' || order == '>' || (order == '|' && size_of(element) == 1))) continue;
            return {element, order == '>'};
        }
    }
    throw file.error(fmt::format("its element type {} is not supported", printable(text.substr(0, text.find(", 'fortran_order'")))),
                     "supported are booleans and real numbers: array.astype('float32')");
}

bool read_order(const BinaryFile& file, std::string_view text) {
    if (text.starts_with("True")) return true;
    if (text.starts_with("False")) return false;
    throw file.error("its .npy header has no valid 'fortran_order'", "write it again with numpy.save");
}

// A tuple: (), (3,), (3, 4), (3, 4,).
std::optional<Shape> read_shape(std::string_view text) {
    if (!text.starts_with('(')) return std::nullopt;
    Shape shape;
    bool comma = true;  // stands before the next number, or it is the first
    for (text = without_blanks(text.substr(1)); !text.starts_with(')'); text = without_blanks(text)) {
        std::int64_t extent = 0;
        const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), extent);
        if (!comma || failed != std::errc() || extent < 0) return std::nullopt;
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
        if (text.starts_with('L')) text.remove_prefix(1);
        shape.push_back(extent);
        text = without_blanks(text);
        comma = text.starts_with(',');
        if (comma) text.remove_prefix(1);
    }
    return shape.size() == 1 && !comma ? std::nullopt : std::optional(shape);  // (3) is a number, not a tuple
}

NpyHeader read_npy_header(BinaryFile& file) {
    const std::string text = read_text(file);
    NpyHeader header{read_element(file, after_key(file, text, "descr")), read_order(file, after_key(file, text, "fortran_order")), {}};
    std::optional<Shape> shape = read_shape(after_key(file, text, "shape"));
    if (!shape) throw file.error("its .npy header has no valid shape", "write it again with numpy.save");
    header.shape = *std::move(shape);
    file.expect_array(header.stored.element, header.shape);
    return header;
}

// In Fortran order the first axis varies fastest: the bytes are those of the transposed array in C order.
Array read_fortran(BinaryFile& file, const NpyHeader& header) {
    const Array transposed = file.read_array(header.stored, Shape(header.shape.rbegin(), header.shape.rend()));
    std::vector<std::size_t> order(header.shape.size());
    std::iota(order.rbegin(), order.rend(), std::size_t{0});
    return with_axes(transposed, order);
}

}  // namespace

ArrayType read_npy_type(BinaryFile& file) {
    NpyHeader header = read_npy_header(file);
    return {dtype_of(header.stored.element), std::move(header.shape)};
}

Array read_npy(BinaryFile& file, std::optional<std::int64_t> limit) {
    NpyHeader header = read_npy_header(file);
    if (header.fortran && header.shape.size() > 1) {
        const Array whole = read_fortran(file, header);
        return limit ? first_entries(whole, *limit) : whole;
    }
    if (limit && !header.shape.empty()) header.shape.front() = std::min(header.shape.front(), *limit);
    return file.read_array(header.stored, std::move(header.shape));
}

}  // namespace satdl
