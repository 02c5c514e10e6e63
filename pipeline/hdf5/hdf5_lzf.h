// h5py's compression "lzf", for reading: HDF5 itself does not have it, and a plug-in would be foreign code.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

namespace satdl {

inline constexpr int kLzfFilter = 32000;  // its number in HDF5's register of filters

// Returns how many bytes of `to` were filled; nullopt if `from` is not LZF, or does not fit. (liblzf, lzf_d.c: the format)
[[nodiscard]] std::optional<std::size_t> unpack_lzf(std::span<const unsigned char> from, std::span<unsigned char> to);

// From now on HDF5 reads chunks that are packed so.
void register_lzf();

}  // namespace satdl
