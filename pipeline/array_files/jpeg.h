// JPEG images, decoded by libjpeg-turbo with its exact integer transform: the same bytes on every machine. (ITU-T T.81)
#pragma once

#include <cstddef>
#include <span>

#include "pipeline/array_files/binary_file.h"

namespace satdl {

// [channels, height, width] by the header: 1 gray, 3 RGB. Throws Error{Store} naming the file where it is damaged, CMYK, or of a kind that
// hardly any program writes (12 bits, lossless, arithmetic coding).
[[nodiscard]] Shape read_jpeg_shape(BinaryFile& file);
// Its pixels, row by row, a byte a channel, as they are stored: Exif's orientation is not applied. Precondition: `shape` is what
// read_jpeg_shape() said, and `pixels` has that size. Throws Error{Store} naming the file, whatever its bytes are.
void read_jpeg(BinaryFile& file, const Shape& shape, std::span<std::byte> pixels);

}  // namespace satdl
