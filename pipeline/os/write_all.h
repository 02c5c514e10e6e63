// write(2) may write less than it was given, or be interrupted by a signal: these go on until everything is written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace satdl {

// How many bytes were written. Fewer than all: a call failed, and errno says why (EIO where it wrote nothing and gave no reason).
[[nodiscard]] std::size_t write_all(int descriptor, std::span<const std::byte> bytes);
[[nodiscard]] std::size_t write_all_at(int descriptor, std::span<const std::byte> bytes, std::uint64_t offset);

}  // namespace satdl
