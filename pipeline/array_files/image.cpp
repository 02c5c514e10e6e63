#include "pipeline/array_files/image.h"

#include <fmt/format.h>

#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "pipeline/array_files/file_kind.h"
#include "pipeline/array_files/jpeg.h"
#include "pipeline/array_files/png.h"
#include "pipeline/core/fresh_array.h"

namespace satdl {
namespace {

constexpr std::uint64_t kMostFileBytes = std::uint64_t{1} << 30;     // it is decoded out of memory
constexpr std::uint64_t kMostExpansionOfImages = 1100;               // both formats reach about 1030
constexpr std::uint64_t kPixelsOfAnyImage = std::uint64_t{1} << 20;  // bytes that need no such justification

struct Colours {
    std::string_view name, of_pillow;
};
constexpr std::array<Colours, 5> kColours{{{"", ""}, {"gray", "L"}, {"gray with alpha", "LA"}, {"RGB", "RGB"}, {"RGB with alpha", "RGBA"}}};

const Colours& colours_of(const Shape& shape) { return kColours.at(static_cast<std::size_t>(shape[0])); }

void check_image_size(const BinaryFile& file, const Shape& shape) {
    if (shape[1] < 1 || shape[2] < 1) throw file.error(fmt::format("is an image without pixels: {}", image_text(shape)), "write it again");
    if (shape[1] > kMostPixels / shape[2])
        throw file.error(fmt::format("is an image of more than {} pixels: {}", kMostPixels, image_text(shape)), "cut or shrink it first");
    const auto bytes = static_cast<std::uint64_t>(element_count(shape));
    if (bytes > kPixelsOfAnyImage && bytes / kMostExpansionOfImages > file.size())
        throw file.error(fmt::format("has a header that says {}, but only {} bytes", image_text(shape), file.size()),
                         "the file is incomplete: download it or write it again");
    if (file.size() > kMostFileBytes) throw file.error("is an image file of more than 1 GiB", "is it the right file?");
}

}  // namespace

Shape read_image_shape(BinaryFile& file) {
    const FileKind kind = file_kind(file);
    if (kind != FileKind::Png && kind != FileKind::Jpeg) throw wrong_kind(file, "a PNG or JPEG image", "convert it to one of them");
    Shape shape = kind == FileKind::Png ? read_png_shape(file) : read_jpeg_shape(file);
    check_image_size(file, shape);
    return shape;
}

void read_image(BinaryFile& file, const Shape& shape, std::span<std::byte> planes) {
    std::vector<std::byte> pixels(planes.size());
    if (file_kind(file) == FileKind::Png) read_png(file, shape, pixels);
    else read_jpeg(file, shape, pixels);
    const auto channels = static_cast<std::size_t>(shape[0]), plane = planes.size() / channels;
    for (std::size_t channel = 0; channel < channels; ++channel)
        for (std::size_t pixel = 0; pixel < plane; ++pixel) planes[channel * plane + pixel] = pixels[pixel * channels + channel];
}

Array read_image(BinaryFile& file) {
    const Shape shape = read_image_shape(file);
    FreshArray image(DType::UInt8, {1, shape[0], shape[1], shape[2]});
    read_image(file, shape, image.bytes());
    return std::move(image).finish();
}

std::string image_text(const Shape& shape) { return fmt::format("{} x {} {}", shape[2], shape[1], colours_of(shape).name); }

std::string how_to_convert_to(const Shape& shape) {
    return fmt::format("Pillow: Image.open(FILE).convert('{}').resize(({}, {})).save(FILE)", colours_of(shape).of_pillow, shape[2],
                       shape[1]);
}

}  // namespace satdl
