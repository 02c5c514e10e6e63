#include "pipeline/array_files/image.h"

#include <catch2/catch.hpp>
#include <random>

#include "pipeline/array_files/array_file.h"
#include "tests/support/image_writer.h"
#include "tests/support/temp_folder.h"

using namespace satdl;
using Catch::Matchers::Contains;
using test::jpeg_file;
using test::png_file;

namespace {

class Image {
public:
    explicit Image(const std::string& bytes) { std::ofstream(path(), std::ios::binary) << bytes; }
    [[nodiscard]] std::filesystem::path path() const { return folder_.path() / "image"; }

private:
    test::TempFolder folder_{test::TempFolder::Where::Memory};
};

// Also the same for the type alone.
Array read(const std::string& bytes) {
    const Image image(bytes);
    const Array array = read_array_file(image.path(), {});
    CHECK(array_type_of_file(image.path(), {}) == ArrayType{array.dtype(), array.shape()});
    return array;
}

std::vector<int> pixels(const Array& array) {
    const auto values = array.values<std::uint8_t>();
    return {values.begin(), values.end()};
}

std::string error_of(const std::string& bytes) {
    const Image image(bytes);
    try {
        (void)read_array_file(image.path(), {});
    } catch (const Error& error) {
        CHECK(error.code() == ExitCode::Store);
        CHECK_THAT(error.what(), Contains(image.path().string()));
        CHECK_FALSE(error.diagnostics().front().hint.empty());
        return error.what();
    }
    return "no error";
}

}  // namespace

TEST_CASE("PNG: the channels are those of the file, and come first, and neither gamma nor interlacing changes a pixel") {
    for (const bool interlaced : {false, true}) {
        const Array rgb = read(png_file({.width = 2, .height = 1, .interlaced = interlaced}, {1, 2, 3, 4, 5, 6}));
        CHECK(rgb.shape() == Shape{1, 3, 1, 2});
        CHECK(pixels(rgb) == std::vector{1, 4, 2, 5, 3, 6});
    }
    CHECK(pixels(read(png_file({.width = 2, .height = 2, .colour = PNG_COLOR_TYPE_GRAY}, {9, 8, 7, 6}))) == std::vector{9, 8, 7, 6});
    const Array alpha = read(png_file({.width = 2, .height = 1, .colour = PNG_COLOR_TYPE_RGB_ALPHA}, {1, 2, 3, 0, 4, 5, 6, 99}));
    CHECK(alpha.shape() == Shape{1, 4, 1, 2});
    CHECK(pixels(alpha) == std::vector{1, 4, 2, 5, 3, 6, 0, 99});
    CHECK(pixels(read(png_file({.width = 1, .height = 1, .colour = PNG_COLOR_TYPE_GRAY_ALPHA}, {5, 6}))) == std::vector{5, 6});
}

TEST_CASE("PNG: few bits become eight, palettes their colours, a transparent colour a channel") {
    CHECK(pixels(read(png_file({.width = 4, .height = 1, .colour = PNG_COLOR_TYPE_GRAY, .bits = 2}, {0b00011011}))) ==
          std::vector{0, 85, 170, 255});
    CHECK(pixels(read(png_file({.width = 2, .height = 1, .colour = PNG_COLOR_TYPE_PALETTE, .bits = 1}, {0b01000000}))) ==
          std::vector{10, 40, 20, 50, 30, 60});
    const Array palette = read(png_file({.width = 2, .height = 1, .colour = PNG_COLOR_TYPE_PALETTE, .transparent = true}, {0, 1}));
    CHECK(palette.shape() == Shape{1, 4, 1, 2});
    CHECK(pixels(palette) == std::vector{10, 40, 20, 50, 30, 60, 7, 255});
    CHECK(pixels(read(png_file({.width = 2, .height = 1, .colour = PNG_COLOR_TYPE_GRAY, .transparent = true}, {0, 1}))) ==
          std::vector{0, 1, 0, 255});
}

TEST_CASE("JPEG: gray and RGB, baseline and progressive") {
    for (const bool progressive : {false, true}) {
        const Array rgb = read(jpeg_file({.width = 16, .height = 8, .progressive = progressive}));
        CHECK(rgb.shape() == Shape{1, 3, 8, 16});
        const std::vector<int> values = pixels(rgb);
        for (int i = 0; i < 3 * 128; ++i) CHECK(std::abs(values[static_cast<std::size_t>(i)] - 50 * (i / 128 + 1)) <= 1);
        const Array gray = read(jpeg_file({.width = 3, .height = 5, .channels = 1, .progressive = progressive}));
        CHECK(gray.shape() == Shape{1, 1, 5, 3});
        CHECK(pixels(gray) == std::vector<int>(15, 50));
    }
}

TEST_CASE("images that are not read are refused by name, with what to do") {
    CHECK_THAT(error_of(png_file({.width = 1, .height = 1, .bits = 16}, {0, 0, 0, 0, 0, 0})), Contains("has 16 bits a channel"));
    CHECK_THAT(error_of(jpeg_file({.channels = 4})), Contains("is a CMYK image") && Contains("convert('RGB')"));
    std::string arithmetic = jpeg_file({});
    arithmetic[arithmetic.find("\xff\xc0") + 1] = '\xc9';
    CHECK_THAT(error_of(arithmetic), Contains("a JPEG image with arithmetic coding"));
    std::string large = png_file({}, std::vector<std::uint8_t>(36));
    large.replace(16, 8, std::string("\0\0\xff\xff\0\0\xff\xff", 8));
    CHECK_THAT(error_of(large), Contains("is an image of more than 67108864 pixels: 65535 x 65535 RGB"));
    large.replace(16, 8, std::string("\0\0\x20\0\0\0\x20\0", 8));
    CHECK_THAT(error_of(large), Contains("has a header that says 8192 x 8192 RGB, but only"));
    large.replace(16, 8, std::string("\xff\xff\xff\xff\xff\xff\xff\xff", 8));
    CHECK_THAT(error_of(large), Contains("more than 67108864 pixels"));
    large.replace(16, 8, std::string(8, '\0'));
    CHECK_THAT(error_of(large), Contains("without pixels"));
}

TEST_CASE("an image that is cut anywhere is refused, and one with any other byte is an image of its size or refused") {
    std::vector<std::uint8_t> noise(8 * 8 * 3);
    std::mt19937 random(3);
    for (std::uint8_t& byte : noise) byte = static_cast<std::uint8_t>(random());
    const std::vector<std::string> files{png_file({.width = 8, .height = 8}, noise),
                                         png_file({.width = 8, .height = 8, .interlaced = true}, noise), jpeg_file({.channels = 1}),
                                         jpeg_file({.progressive = true})};
    for (const std::string& good : files) {
        const Shape shape = read(good).shape();
        for (std::size_t cut = 3; cut < good.size() - 2; cut += 1 + cut / 16) CHECK(error_of(good.substr(0, cut)) != "no error");
        for (int round = 0; round < 400; ++round) {
            std::string bytes = good;
            for (std::uint32_t i = random() % 4 + 1; i > 0; --i) bytes[random() % bytes.size()] = static_cast<char>(random());
            const Image image(bytes);
            try {
                const Array array = read_array_file(image.path(), {});
                CHECK(array.bytes().size() == static_cast<std::size_t>(array.count()));
            } catch (const Error& error) {
                CHECK(error.code() == ExitCode::Store);
            }
        }
    }
}
