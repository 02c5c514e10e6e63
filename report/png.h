// Small pictures as PNG files in memory: 8 bits of grey, or of red, green and blue. zlib compresses and checks; the container is a
// signature and three chunks (W3C, Portable Network Graphics, second edition), for which libpng with its setjmp would be the longer way.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace satdl {

// `pixels`: row by row, 0 black; with 3 channels the red, green and blue of each pixel. Precondition: width * height * channels of them,
// neither is 0, and channels is 1 or 3. The bytes are a pure function of these.
[[nodiscard]] std::string png_of(std::span<const std::uint8_t> pixels, std::uint32_t width, std::uint32_t height,
                                 std::uint32_t channels = 1);

}  // namespace satdl
