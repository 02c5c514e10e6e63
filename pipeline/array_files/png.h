// PNG images, decoded by libpng as they are: no gamma, no background, palettes as the colours that they mean. (W3C, "Portable Network
// Graphics")
#pragma once

#include <cstddef>
#include <span>

#include "pipeline/array_files/binary_file.h"

namespace satdl {

// [channels, height, width] by the header: 1 gray, 2 gray with alpha, 3 RGB, 4 RGB with alpha. Throws Error{Store} naming the file where it
// is damaged, or has 16 bits a channel.
[[nodiscard]] Shape read_png_shape(BinaryFile& file);
// Its pixels, row by row, a byte a channel. Precondition: `shape` is what read_png_shape() said, and `pixels` has that size. Throws
// Error{Store} naming the file, whatever its bytes are.
void read_png(BinaryFile& file, const Shape& shape, std::span<std::byte> pixels);

}  // namespace satdl
