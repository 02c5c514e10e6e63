#include "commands/inspect/show_images.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "commands/shared/tensor_statistics.h"
#include "pipeline/core/base64.h"
#include "pipeline/display/progress_display.h"
#include "pipeline/display/text_format.h"

namespace satdl {

namespace {

// The terminal's graphics protocol (sw.kovidgoyal.net/kitty/graphics-protocol): pixels as base64, in pieces of 4096. q=2: no answer,
// which would arrive as if it were typed.
std::string kitty_text(const Montage& montage) {
    std::string bytes;
    for (const auto& pixel : montage.pixels()) {
        const Montage::Colour colour = pixel.value_or(Montage::Colour{});
        for (const std::uint8_t byte : {colour.red, colour.green, colour.blue, static_cast<std::uint8_t>(pixel ? 255 : 0)})
            bytes += static_cast<char>(byte);
    }
    constexpr std::size_t kPiece = 4096;
    const std::string encoded = base64(bytes);
    std::string text;
    for (std::size_t from = 0; from < encoded.size(); from += kPiece) {
        const std::string first = from > 0 ? "" : fmt::format("a=T,f=32,s={},v={},c={},r={},q=2,", montage.columns(), 2 * montage.lines(),
                                                              montage.columns(), montage.lines());
        text += fmt::format("\x1b_G{}m={};{}\x1b\\", first, from + kPiece < encoded.size() ? 1 : 0, encoded.substr(from, kPiece));
    }
    return text + '\n';
}

std::string drawn_text(const Montage& montage, Drawing drawing) {
    return drawing == Drawing::Kitty ? kitty_text(montage) : satdl::drawn(montage, drawing);
}

// With black on the right, so that a caption has room.
Picture widened(const Picture& picture, int width) {
    if (picture.width >= width) return picture;
    Picture wide{picture.channels, picture.height, width, {}};
    for (int row = 0; row < picture.channels * picture.height; ++row) {
        const auto first = picture.values.begin() + static_cast<std::ptrdiff_t>(row) * picture.width;
        wide.values.insert(wide.values.end(), first, first + picture.width);
        wide.values.resize(static_cast<std::size_t>(row + 1) * static_cast<std::size_t>(width), 0);
    }
    return wide;
}

std::string_view environment(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

}  // namespace

bool has_images(const Shape& shape) {
    return (shape.size() == 3 || shape.size() == 4) && std::ranges::all_of(shape, [](std::int64_t extent) { return extent > 0; });
}

ImageSet images_of(const Array& array, std::int64_t count) {
    const Shape& shape = array.shape();
    const std::int64_t channels = shape.size() == 4 ? shape[1] : 1, height = shape[shape.size() - 2], width = shape.back();
    const int in_one = channels == 3 ? 3 : 1;
    ImageSet images{.all = shape[0] * channels / in_one, .pictures = {}};
    const std::int64_t size = in_one * height * width, wanted = std::min(count, images.all);
    const Array first(array.dtype(), {wanted, size}, array.bytes().first(static_cast<std::size_t>(wanted * size) * size_of(array.dtype())),
                      array.owner());
    const std::vector<double> numbers = numbers_of(first);
    double min = INFINITY, max = -INFINITY;
    for (const double number : numbers) {
        if (std::isfinite(number)) min = std::min(min, number), max = std::max(max, number);
    }
    if (min < 0 || max > 1) images.black = min + 0.0, images.white = max + 0.0;  // no -0
    const double range = images.white > images.black ? images.white - images.black : 1;
    for (std::int64_t i = 0; i < wanted; ++i) {
        Picture& picture = images.pictures.emplace_back(Picture{in_one, static_cast<int>(height), static_cast<int>(width), {}});
        for (std::int64_t k = i * size; k < (i + 1) * size; ++k) {
            const double share = (numbers[static_cast<std::size_t>(k)] - images.black) / range;
            picture.values.push_back(std::isnan(share) ? 0 : static_cast<float>(std::clamp(share, 0.0, 1.0)));
        }
    }
    return images;
}

std::string images_text(const std::string& name, const Array& array, std::int64_t count, Drawing drawing, int columns) {
    const ImageSet images = images_of(array, count);
    std::string text = fmt::format("{}  {} {}: {} of {} image{}\n", printable(name), name_of(array.dtype()), shape_text(array.shape()),
                                   images.pictures.size(), images.all, images.all == 1 ? "" : "s");
    if (images.black != 0 || images.white != 1)
        text += fmt::format("scaled: black is {:.6g}, white {:.6g}\n", images.black, images.white);
    return text + drawn_text(Montage(images.pictures, columns), drawing);
}

std::string captioned_text(std::vector<Picture> pictures, const std::vector<std::string>& captions, Drawing drawing,
                           int columns) {
    int width = pictures.front().width;
    for (const std::string& caption : captions) width = std::max(width, std::min(display_width(caption), columns));
    for (Picture& picture : pictures) picture = widened(picture, width);
    const auto per_row = static_cast<std::size_t>(std::max(1, (columns + 1) / (width + 1)));
    std::string text;
    for (std::size_t from = 0; from < pictures.size(); from += per_row) {
        const std::size_t end = std::min(from + per_row, pictures.size());
        const std::vector<Picture> row(pictures.begin() + static_cast<std::ptrdiff_t>(from),
                                       pictures.begin() + static_cast<std::ptrdiff_t>(end));
        text += drawn_text(Montage(row, columns), drawing);
        std::string line;
        for (std::size_t i = from; i < end; ++i)
            line += fmt::format("{}{}", i == from ? "" : " ", padded(fitted(captions[i], std::min(width, columns)), width));
        text += line.erase(line.find_last_not_of(' ') + 1) + '\n';
    }
    return text;
}

Drawing drawing_on_stdout() {
    return drawing_for({.is_terminal = can_redraw(STDOUT_FILENO),
                        .colour = wants_colour(),
                        .term = std::string(environment("TERM")),
                        .colorterm = std::string(environment("COLORTERM")),
                        .kitty_window = !environment("KITTY_WINDOW_ID").empty()});
}

}  // namespace satdl
