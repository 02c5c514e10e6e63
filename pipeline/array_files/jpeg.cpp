// libjpeg reports an error by a call that must not return. It leaves by longjmp, over frames that own nothing: hence the plain structs
// here. It only warns of damaged data, and fills what is missing with gray: here, that is an error.
#include "pipeline/array_files/jpeg.h"

#include <fmt/format.h>

#include <array>
#include <csetjmp>
#include <cstdint>
#include <cstdio>  // jpeglib.h needs it
#include <string>
#include <string_view>

#include <jerror.h>
#include <jpeglib.h>

namespace satdl {
namespace {

constexpr int kMostScans = 200;  // of a progressive image; usual are 10, and each costs time whatever its size

struct JpegDecoder {
    jpeg_decompress_struct info{};
    jpeg_error_mgr errors{};
    jpeg_progress_mgr progress{};
    std::array<char, JMSG_LENGTH_MAX> message{};
    std::jmp_buf escape;
};

[[noreturn]] void leave_jpeg(j_common_ptr info) {
    auto& decoder = *static_cast<JpegDecoder*>(info->client_data);
    info->err->format_message(info, decoder.message.data());
    std::longjmp(decoder.escape, 1);
}

// Warnings have the level -1. Those about markers are harmless; all others are about data.
void judge_jpeg_message(j_common_ptr info, int level) {
    const int code = info->err->msg_code;
    const bool is_harmless = code == JWRN_EXTRANEOUS_DATA || code == JWRN_ADOBE_XFORM || code == JWRN_JFIF_MAJOR;
    if (level < 0 && !is_harmless) leave_jpeg(info);
}

void count_jpeg_scans(j_common_ptr info) {
    if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number <= kMostScans) return;
    auto& decoder = *static_cast<JpegDecoder*>(info->client_data);
    constexpr std::string_view kTooMany = "it has too many scans";
    kTooMany.copy(decoder.message.data(), kTooMany.size());
    std::longjmp(decoder.escape, 1);
}

// false: it failed, and the decoder's message says why.
bool decode_jpeg(JpegDecoder& decoder, std::string_view bytes, const Shape& shape, JSAMPROW pixels) {
    jpeg_decompress_struct& info = decoder.info;
    info.err = jpeg_std_error(&decoder.errors);
    info.client_data = &decoder;
    decoder.errors.error_exit = leave_jpeg;
    decoder.errors.emit_message = judge_jpeg_message;
    decoder.progress.progress_monitor = count_jpeg_scans;
    if (setjmp(decoder.escape) != 0) return false;
    jpeg_create_decompress(&info);
    info.progress = &decoder.progress;
    jpeg_mem_src(&info, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
    (void)jpeg_read_header(&info, TRUE);
    info.out_color_space = shape[0] == 1 ? JCS_GRAYSCALE : JCS_RGB;
    info.dct_method = JDCT_ISLOW;
    (void)jpeg_start_decompress(&info);
    if (info.output_height != shape[1] || info.output_width != shape[2] || info.output_components != shape[0])
        ERREXIT(&info, JERR_BAD_LENGTH);
    while (info.output_scanline < info.output_height) {
        JSAMPROW row = pixels + static_cast<std::size_t>(info.output_scanline) * info.output_width * static_cast<std::size_t>(shape[0]);
        (void)jpeg_read_scanlines(&info, &row, 1);
    }
    (void)jpeg_finish_decompress(&info);
    return true;
}

Error damaged_jpeg(const BinaryFile& file, std::string_view why) {
    return file.error(fmt::format("is a damaged JPEG image: {}", printable(why)), "download it or write it again");
}

Error unusual_jpeg(const BinaryFile& file, const std::string& what) {
    return file.error(what, "satdl reads gray and RGB images of 8 bits a channel. Pillow: Image.open(FILE).convert('RGB').save(FILE)");
}

// What stands in the frame header, which starts at `at`, after its marker.
Shape read_jpeg_frame(BinaryFile& file, std::uint64_t at, int marker) {
    const std::string frame = file.peek(at, 8);
    if (frame.size() < 8) throw damaged_jpeg(file, "the file ends too early");
    const auto byte = [&](std::size_t i) { return static_cast<std::int64_t>(static_cast<unsigned char>(frame[i])); };
    if (marker > 0xc2)
        throw unusual_jpeg(file, fmt::format("is a JPEG image with {} coding", marker < 0xc8 ? "lossless or hierarchical" : "arithmetic"));
    if (byte(2) != 8) throw unusual_jpeg(file, fmt::format("has {} bits a channel", byte(2)));
    if (byte(7) == 4) throw unusual_jpeg(file, "is a CMYK image");
    if (byte(7) != 1 && byte(7) != 3) throw unusual_jpeg(file, fmt::format("is a JPEG image with {} channels", byte(7)));
    return {byte(7), byte(3) << 8 | byte(4), byte(5) << 8 | byte(6)};
}

}  // namespace

Shape read_jpeg_shape(BinaryFile& file) {
    for (std::uint64_t at = 2;;) {
        const std::string segment = file.peek(at, 4);
        if (segment.size() < 4) throw damaged_jpeg(file, "the file ends too early");
        const auto byte = [&](std::size_t i) { return static_cast<unsigned>(static_cast<unsigned char>(segment[i])); };
        const unsigned marker = byte(1), length = byte(2) << 8 | byte(3);
        if (byte(0) != 0xff) throw damaged_jpeg(file, "it has no header");
        if (marker == 0xff) {  // a filling byte
            ++at;
            continue;
        }
        const bool is_frame = marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
        if (is_frame) return read_jpeg_frame(file, at + 2, static_cast<int>(marker));
        if (marker == 0xd9 || marker == 0xda || length < 2) throw damaged_jpeg(file, "it has no header");
        at += 2 + length;
    }
}

void read_jpeg(BinaryFile& file, const Shape& shape, std::span<std::byte> pixels) {
    const std::string bytes = file.peek(0, file.size());
    JpegDecoder decoder;
    const bool good = decode_jpeg(decoder, bytes, shape, reinterpret_cast<JSAMPROW>(pixels.data()));
    jpeg_destroy_decompress(&decoder.info);
    if (!good) throw damaged_jpeg(file, decoder.message.data());
}

}  // namespace satdl
