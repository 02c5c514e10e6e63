// The library that lays out HDF5 files, loaded when the first one is written; it stays loaded.
#pragma once

#include <filesystem>

#include "pipeline/hdf5/hdf5_layout.h"

namespace satdl {

// Throws Error{Store} if it is missing or another version's.
[[nodiscard]] Hdf5LayoutFunction load_hdf5_layout();

// A new HDF5 file with these arrays, each at its name ("group/data"); not made durable. Throws Error{Store}.
void write_hdf5(const std::filesystem::path& path, const NamedArrays& arrays);

}  // namespace satdl
