// IDX, the format of MNIST and its relatives: two zero bytes, the element type, the number of dimensions, each extent as
// 32 bits, then the elements; everything big-endian. (http://yann.lecun.com/exdb/mnist, "The IDX file format")
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "pipeline/array_files/binary_file.h"

namespace satdl {

// Each throws Error{Store} naming the file: not IDX, another element type, more or fewer bytes than the extents say.

// What the header says. `file` is at its beginning.
[[nodiscard]] ArrayType read_idx_type(BinaryFile& file);
// The file's array, or its first `limit` entries along the first dimension.
[[nodiscard]] Array read_idx(const std::filesystem::path& file, std::optional<std::int64_t> limit = {});

}  // namespace satdl
