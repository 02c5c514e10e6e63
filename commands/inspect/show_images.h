// `show --images`: tensors as pictures on the terminal.
#pragma once

#include <string>

#include "pipeline/core/array.h"
#include "pipeline/display/terminal_image.h"

namespace satdl {

// [N, H, W] or [N, C, H, W], with at least one pixel.
[[nodiscard]] bool has_images(const Shape& shape);
// A line about the tensor, and its first `count` images: grey, or in colour if C is 3; else each channel is an image. Values
// outside [0, 1] are scaled, and a line says so. Precondition: has_images.
[[nodiscard]] std::string images_text(const std::string& name, const Array& array, std::int64_t count, Drawing drawing, int columns);
// How to draw on stdout, from the environment.
[[nodiscard]] Drawing drawing_on_stdout();

}  // namespace satdl
