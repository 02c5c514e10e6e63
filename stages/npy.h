// .npy, NumPy's file of one array: versions 1 to 3, little-endian, C order.
// (numpy.org, "NEP 1: a simple file format for NumPy arrays")
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "pipeline/core/array.h"

namespace satdl::stages {

// The file's array, or its first `limit` entries along the first dimension. Reads uint8, int32, int64, float32 and float64.
// Throws Error{Store} naming the file: not .npy, another element type, Fortran order, more or fewer bytes than the shape says.
[[nodiscard]] Array read_npy(const std::filesystem::path& file, std::optional<std::int64_t> limit = {});

}  // namespace satdl::stages
