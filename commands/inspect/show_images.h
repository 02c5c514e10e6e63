// `show --images`: tensors as pictures on the terminal.
#pragma once

#include <string>
#include <vector>

#include "pipeline/core/array.h"
#include "pipeline/display/terminal_image.h"

namespace satdl {

// [N, H, W] or [N, C, H, W], with at least one pixel.
[[nodiscard]] bool has_images(const Shape& shape);
// Images of a tensor as pictures, and the values that are black and white in them.
struct ImageSet {
    std::int64_t all = 0;  // images in the tensor
    std::vector<Picture> pictures;
    double black = 0, white = 1;
};
// The first `count`: grey, or in colour if C is 3; else each channel is an image. Values outside [0, 1] are scaled.
// Precondition: has_images.
[[nodiscard]] ImageSet images_of(const Array& array, std::int64_t count);
// A line about the tensor, and its first `count` images; if they are scaled, a line says so. Precondition: has_images.
[[nodiscard]] std::string images_text(const std::string& name, const Array& array, std::int64_t count, Drawing drawing, int columns);
// Pictures of one size in rows, each with a line of text below it. Precondition: as many captions as pictures, at least one.
[[nodiscard]] std::string captioned_text(std::vector<Picture> pictures, const std::vector<std::string>& captions,
                                         Drawing drawing, int columns);
// How to draw on stdout, from the environment.
[[nodiscard]] Drawing drawing_on_stdout();

}  // namespace satdl
