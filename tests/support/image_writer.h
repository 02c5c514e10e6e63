// PNG and JPEG files for tests, of any kind that their libraries write.
#pragma once

#include <csetjmp>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <jpeglib.h>
#include <png.h>

namespace satdl::test {

struct PngOptions {
    int width = 4, height = 3;
    int colour = PNG_COLOR_TYPE_RGB;
    int bits = 8;
    bool transparent = false;  // tRNS: the colour 0, or entry 0 of the palette
    bool interlaced = false;
};

// `bytes`: rows as PNG packs them.
inline std::string png_file(const PngOptions& options, std::vector<std::uint8_t> bytes) {
    std::string file;
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
    png_infop info = png_create_info_struct(png);
    png_set_write_fn(
        png, &file,
        [](png_structp to, png_bytep from, std::size_t size) {
            static_cast<std::string*>(png_get_io_ptr(to))->append(reinterpret_cast<const char*>(from), size);
        },
        nullptr);
    png_set_IHDR(png, info, static_cast<png_uint_32>(options.width), static_cast<png_uint_32>(options.height), options.bits, options.colour,
                 options.interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    const png_color palette[] = {{10, 20, 30}, {40, 50, 60}};
    if (options.colour == PNG_COLOR_TYPE_PALETTE) png_set_PLTE(png, info, palette, 2);
    png_color_16 colour{};
    const png_byte alpha = 7;
    if (options.transparent) png_set_tRNS(png, info, &alpha, 1, &colour);
    png_set_gAMA(png, info, 0.25);  // which changes no pixel
    png_write_info(png, info);
    std::vector<png_bytep> rows;
    const std::size_t row_bytes = png_get_rowbytes(png, info);
    for (int row = 0; row < options.height; ++row) rows.push_back(bytes.data() + static_cast<std::size_t>(row) * row_bytes);
    png_write_image(png, rows.data());
    png_write_end(png, nullptr);
    png_destroy_write_struct(&png, &info);
    return file;
}

struct JpegOptions {
    int width = 16, height = 8;
    int channels = 3;  // 1 gray, 3 RGB, 4 CMYK
    bool progressive = false;
};

// Every pixel of channel c is 50 * (c + 1).
inline std::string jpeg_file(const JpegOptions& options) {
    jpeg_compress_struct info;
    jpeg_error_mgr errors;
    info.err = jpeg_std_error(&errors);
    jpeg_create_compress(&info);
    unsigned char* bytes = nullptr;
    unsigned long size = 0;
    jpeg_mem_dest(&info, &bytes, &size);
    info.image_width = static_cast<JDIMENSION>(options.width);
    info.image_height = static_cast<JDIMENSION>(options.height);
    info.input_components = options.channels;
    info.in_color_space = options.channels == 1 ? JCS_GRAYSCALE : options.channels == 3 ? JCS_RGB : JCS_CMYK;
    jpeg_set_defaults(&info);
    jpeg_set_quality(&info, 100, TRUE);
    if (options.progressive) jpeg_simple_progression(&info);
    jpeg_start_compress(&info, TRUE);
    std::vector<std::uint8_t> row;
    for (int i = 0; i < options.width * options.channels; ++i) row.push_back(static_cast<std::uint8_t>(50 * (i % options.channels + 1)));
    for (int i = 0; i < options.height; ++i) {
        JSAMPROW pointer = row.data();
        (void)jpeg_write_scanlines(&info, &pointer, 1);
    }
    jpeg_finish_compress(&info);
    std::string file(reinterpret_cast<const char*>(bytes), size);
    jpeg_destroy_compress(&info);
    std::free(bytes);
    return file;
}

}  // namespace satdl::test
