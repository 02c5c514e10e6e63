// write(2) may write only a part, or be interrupted by a signal: these repeat it until everything is written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace satdl {

// How many bytes were written. Fewer than all: a call failed, and errno says why (EIO if it wrote nothing without an error).
[[nodiscard]] std::size_t write_all(int descriptor, std::span<const std::byte> bytes);
[[nodiscard]] std::size_t write_all_at(int descriptor, std::span<const std::byte> bytes, std::uint64_t offset);

}  // namespace satdl
