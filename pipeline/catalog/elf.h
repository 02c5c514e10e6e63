// What a shared library exports as data, read from its file: nothing of it is loaded, so no code of it runs.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace satdl {

// The first `size` bytes of the exported object `name`, as they stand in the file; nothing where the file is no 64-bit ELF of this
// machine's byte order, lacks the symbol, or is cut. It believes nothing of the file. A view into `file`.
[[nodiscard]] std::optional<std::span<const std::byte>> exported_data(std::span<const std::byte> file, std::string_view name,
                                                                      std::size_t size);

}  // namespace satdl
