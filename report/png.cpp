#include "report/png.h"

#include <zlib.h>

#include "pipeline/core/check.h"

namespace satdl {

namespace {

void add_number(std::string& bytes, std::uint32_t number) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>((number >> shift) & 0xFF);
}

void add_chunk(std::string& file, const std::string& type, const std::string& content) {
    add_number(file, static_cast<std::uint32_t>(content.size()));
    const std::string checked = type + content;
    file += checked;
    add_number(file, static_cast<std::uint32_t>(
                         crc32(0, reinterpret_cast<const Bytef*>(checked.data()), static_cast<uInt>(checked.size()))));
}

std::string compressed(const std::string& plain) {
    uLongf bytes = compressBound(plain.size());
    std::string out(bytes, '\0');
    const int done = compress2(reinterpret_cast<Bytef*>(out.data()), &bytes, reinterpret_cast<const Bytef*>(plain.data()),
                               plain.size(), Z_BEST_COMPRESSION);
    SATDL_CHECK(done == Z_OK, "zlib's own bound was too small");
    out.resize(bytes);
    return out;
}

}  // namespace

std::string png_of(std::span<const std::uint8_t> pixels, std::uint32_t width, std::uint32_t height, std::uint32_t channels) {
    const std::size_t row = std::size_t{width} * channels;
    SATDL_CHECK(row > 0 && height > 0 && pixels.size() == row * height && (channels == 1 || channels == 3), "a picture of another size");
    std::string header;
    add_number(header, width);
    add_number(header, height);
    header += {'\x08', channels == 1 ? '\0' : '\2', '\0', '\0', '\0'};  // 8 bits, grey or RGB; deflate, the usual filters, not interlaced
    std::string rows;
    for (std::uint32_t y = 0; y < height; ++y) {
        rows += '\0';  // no filter
        rows.append(reinterpret_cast<const char*>(pixels.data()) + y * row, row);
    }
    std::string file = "\x89PNG\r\n\x1a\n";
    add_chunk(file, "IHDR", header);
    add_chunk(file, "IDAT", compressed(rows));
    add_chunk(file, "IEND", "");
    return file;
}

}  // namespace satdl
