// .npz, NumPy's file of several arrays: a zip archive of .npy files.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "pipeline/array_files/binary_file.h"

namespace satdl {

// The array `name` ("": the only one), or its first `limit` entries along the first dimension; and what its header says.
// Each throws Error{Store} naming the file: a damaged archive, no such array, whatever read_npy() throws.
[[nodiscard]] Array read_npz(BinaryFile& archive, const std::string& name, std::optional<std::int64_t> limit);
[[nodiscard]] ArrayType read_npz_type(BinaryFile& archive, const std::string& name);

}  // namespace satdl
