// .npy, NumPy's file of one array: versions 1 to 3, little-endian, C order.
// (numpy.org, "NEP 1: a simple file format for NumPy arrays")
#pragma once

#include <filesystem>

#include "pipeline/array.h"

namespace satdl::stages {

// Reads uint8, int32, int64, float32 and float64. Throws Error{Store} naming the file: not .npy, another element type,
// Fortran order, more or fewer bytes than the shape says.
[[nodiscard]] Array read_npy(const std::filesystem::path& file);

}  // namespace satdl::stages
