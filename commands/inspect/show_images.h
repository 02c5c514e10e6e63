// `show --images`: tensors as pictures on the terminal.
#pragma once

#include <string>

#include "pipeline/core/array.h"
#include "pipeline/display/terminal_image.h"

namespace satdl {

// [N, H, W] or [N, C, H, W], with at least one pixel.
[[nodiscard]] bool has_images(const Shape& shape);
// What it is, and its first `count` images: grey, or in colour where C is 3; else each channel is an image. Values that are not
// all within [0, 1] are scaled, and that is said. Precondition: has_images.
[[nodiscard]] std::string images_text(const std::string& name, const Array& array, std::int64_t count, Drawing drawing, int columns);
// How stdout draws, from the environment.
[[nodiscard]] Drawing drawing_on_stdout();

}  // namespace satdl
