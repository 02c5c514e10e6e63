// IDX, the format of MNIST and its relatives: two zero bytes, the element type, the number of dimensions, each extent as
// 32 bits, then the elements; everything big-endian. (http://yann.lecun.com/exdb/mnist, "The IDX file format")
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "pipeline/core/array.h"

namespace satdl::stages {

// The file's array, or its first `limit` entries along the first dimension. Reads uint8, int32, float32 and float64.
// Throws Error{Store} naming the file: not IDX, another element type, more or fewer bytes than the extents say.
[[nodiscard]] Array read_idx(const std::filesystem::path& file, std::optional<std::int64_t> limit = {});

}  // namespace satdl::stages
