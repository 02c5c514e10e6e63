// Small pictures as PNG files in memory: 8-bit grey. zlib compresses and checks; the container is a signature and three
// chunks (W3C, Portable Network Graphics, second edition), for which libpng with its setjmp would be the longer way.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace satdl {

// `pixels`: row by row, 0 black. Precondition: width * height of them, neither is 0. The bytes are a pure function of these.
[[nodiscard]] std::string png_of(std::span<const std::uint8_t> pixels, std::uint32_t width, std::uint32_t height);

}  // namespace satdl
