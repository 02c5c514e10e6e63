// .npy, NumPy's file of one array: versions 1 to 3, booleans and real numbers of either byte order, C and Fortran order.
// (numpy.org, "NEP 1: a simple file format for NumPy arrays")
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "pipeline/array_files/binary_file.h"

namespace satdl {

// Each throws Error{Store} naming the file: not .npy, another element type, more or fewer bytes than the shape says.

// What the header says. `file` is at its beginning.
[[nodiscard]] ArrayType read_npy_type(BinaryFile& file);
// The array, or its first `limit` entries along the first dimension. `file` is at its beginning.
[[nodiscard]] Array read_npy(BinaryFile& file, std::optional<std::int64_t> limit = {});

}  // namespace satdl
