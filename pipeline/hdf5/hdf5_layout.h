// Where HDF5 would put things: the library lays a file out in memory, and never touches the disk.
//
// This header names no HDF5 type. Its code is built into libsatdl_hdf5.so, which is loaded when the first artifact is written
// (Debian's library pulls in 34 others). Tensors' bytes never pass through HDF5: only their places are taken from it.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/core/array.h"

namespace satdl {

struct Hdf5Tensor {
    std::string path;  // "images", "model/conv_1.weight": groups are made as needed
    DType dtype;
    Shape shape;
    std::vector<std::pair<std::string, std::string>> attributes;  // fixed-length UTF-8 strings
};

struct Hdf5Layout {
    std::uint64_t file_bytes = 0;
    // Of the tensors' bytes, from the file's start: multiples of 4096.
    std::vector<std::uint64_t> offsets;
    // Offset -> bytes: everything but the tensors and the user block. Between all of these, the file is zero.
    std::vector<std::pair<std::uint64_t, std::string>> metadata;
};

// A pure function of its arguments: no times, no addresses. `user_block_bytes`: a power of two >= 4096, left to the caller.
// Throws Error{Store} with HDF5's own message.
using Hdf5LayoutFunction = Hdf5Layout (*)(std::uint64_t user_block_bytes, const std::vector<Hdf5Tensor>& tensors,
                                          const std::vector<std::pair<std::string, std::string>>& root_attributes);

// Exported by libsatdl_hdf5.so under this name, as a Hdf5LayoutFunction.
inline constexpr const char* kHdf5LayoutSymbol = "satdl_hdf5_layout";

}  // namespace satdl
