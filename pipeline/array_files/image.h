// PNG and JPEG images as arrays of bytes with their channels first.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "pipeline/array_files/binary_file.h"

namespace satdl {

// Each throws Error{Store} naming the file: no image, damaged, of a kind that is not read (png.h, jpeg.h), with more pixels than
// kMostPixels or than its bytes can hold.

inline constexpr std::int64_t kMostPixels = 1 << 26;

// [channels, height, width], by the header.
[[nodiscard]] Shape read_image_shape(BinaryFile& file);
// Its pixels, channel by channel. Precondition: `shape` is what read_image_shape() said, and `planes` has that size.
void read_image(BinaryFile& file, const Shape& shape, std::span<std::byte> planes);
// The whole file: uint8 [1, channels, height, width].
[[nodiscard]] Array read_image(BinaryFile& file);

[[nodiscard]] std::string image_text(const Shape& shape);  // "32 x 24 RGB": the width comes first
// How to make an image like this, for a hint.
[[nodiscard]] std::string how_to_convert_to(const Shape& shape);

}  // namespace satdl
