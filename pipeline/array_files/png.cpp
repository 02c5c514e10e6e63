// libpng reports an error by a call that must not return. It leaves by longjmp, over frames that own nothing: hence the plain structs here.
#include "pipeline/array_files/png.h"

#include <fmt/format.h>
#include <png.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace satdl {
namespace {

constexpr std::uint64_t kFirstChunk = 8, kChunkFrame = 12;  // length, name and CRC

struct PngDecoder {
    png_structp png = nullptr;
    png_infop info = nullptr;
    std::string_view unread;
    std::array<char, 200> message{};
    std::jmp_buf escape;
};

[[noreturn]] void leave_png(png_structp png, png_const_charp message) {
    auto& decoder = *static_cast<PngDecoder*>(png_get_error_ptr(png));
    std::strncpy(decoder.message.data(), message, decoder.message.size() - 1);
    std::longjmp(decoder.escape, 1);
}

void ignore_png_warning(png_structp, png_const_charp) {}

void give_png_bytes(png_structp png, png_bytep to, std::size_t bytes) {
    auto& decoder = *static_cast<PngDecoder*>(png_get_io_ptr(png));
    if (bytes > decoder.unread.size()) png_error(png, "the file ends too early");
    std::memcpy(to, decoder.unread.data(), bytes);
    decoder.unread.remove_prefix(bytes);
}

// false: it failed, and the decoder's message says why. `rows`: one for each row of `row_bytes`.
bool decode_png(PngDecoder& decoder, png_bytep* rows, std::size_t row_bytes) {
    if (setjmp(decoder.escape) != 0) return false;
    decoder.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &decoder, leave_png, ignore_png_warning);
    if (decoder.png != nullptr) decoder.info = png_create_info_struct(decoder.png);
    if (decoder.info == nullptr) return false;
    png_set_read_fn(decoder.png, &decoder, give_png_bytes);
    png_set_keep_unknown_chunks(decoder.png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);  // nothing but what the pixels need
    png_read_info(decoder.png, decoder.info);
    png_set_palette_to_rgb(decoder.png);
    png_set_expand_gray_1_2_4_to_8(decoder.png);
    if (png_get_valid(decoder.png, decoder.info, PNG_INFO_tRNS) != 0) png_set_tRNS_to_alpha(decoder.png);
    png_set_interlace_handling(decoder.png);
    png_read_update_info(decoder.png, decoder.info);
    if (png_get_rowbytes(decoder.png, decoder.info) != row_bytes) png_error(decoder.png, "its transparency is invalid");
    png_read_image(decoder.png, rows);
    png_read_end(decoder.png, nullptr);
    return true;
}

std::uint32_t big_endian_word(std::string_view text, std::size_t at) {
    std::uint32_t number = 0;
    for (std::size_t i = 0; i < 4; ++i) number = number << 8 | static_cast<unsigned char>(text[at + i]);
    return number;
}

Error damaged_png(const BinaryFile& file, std::string_view why) {
    return file.error(fmt::format("is a damaged PNG image: {}", printable(why)), "download it or write it again");
}

// Whether a colour, or the colours of a palette, are transparent: a chunk before the pixels.
bool has_transparency(BinaryFile& file) {
    for (std::uint64_t at = kFirstChunk;;) {
        const std::string start = file.peek(at, 8);
        if (start.size() < 8) throw damaged_png(file, "it has no pixels");
        if (start.ends_with("IDAT")) return false;
        if (start.ends_with("tRNS")) return true;
        at += kChunkFrame + big_endian_word(start, 0);
    }
}

}  // namespace

Shape read_png_shape(BinaryFile& file) {
    const std::string header = file.peek(kFirstChunk, 25);
    if (header.size() < 25 || header.substr(4, 4) != "IHDR") throw damaged_png(file, "it has no header");
    const int bits = header[16], colour = header[17];
    if (bits == 16)
        throw file.error("has 16 bits a channel", "satdl reads 8: reduce it, or keep it as an array, with numpy.save");
    std::int64_t channels = 0;
    switch (colour) {
        case PNG_COLOR_TYPE_GRAY: channels = has_transparency(file) ? 2 : 1; break;
        case PNG_COLOR_TYPE_RGB:
        case PNG_COLOR_TYPE_PALETTE: channels = has_transparency(file) ? 4 : 3; break;
        case PNG_COLOR_TYPE_GRAY_ALPHA: channels = 2; break;
        case PNG_COLOR_TYPE_RGB_ALPHA: channels = 4; break;
        default: throw damaged_png(file, fmt::format("its colour type is {}", colour));
    }
    return {channels, big_endian_word(header, 12), big_endian_word(header, 8)};
}

void read_png(BinaryFile& file, const Shape& shape, std::span<std::byte> pixels) {
    const std::string bytes = file.peek(0, file.size());
    const auto row_bytes = static_cast<std::size_t>(shape[0] * shape[2]);
    std::vector<png_bytep> rows;
    for (std::int64_t row = 0; row < shape[1]; ++row)
        rows.push_back(reinterpret_cast<png_bytep>(pixels.data()) + static_cast<std::size_t>(row) * row_bytes);
    PngDecoder decoder;
    decoder.unread = bytes;
    const bool good = decode_png(decoder, rows.data(), row_bytes);
    png_destroy_read_struct(&decoder.png, &decoder.info, nullptr);
    if (!good) throw damaged_png(file, decoder.message[0] == '\0' ? kNoMemory : decoder.message.data());
}

}  // namespace satdl
