// What a file is, from its content alone. Its name does not count: the key of a stage that reads it holds the content, so whatever
// decides how the bytes are read must be in the content as well.
#pragma once

#include <string>
#include <string_view>

#include "pipeline/array_files/binary_file.h"

namespace satdl {

// In the order in which they are looked for: a file that could be several of them is the first.
enum class FileKind {
    Npy,         // starts with \x93NUMPY
    Hdf5,        // its signature is at 0, 512, 1024, 2048, ...
    Zip,         // starts with PK
    Gzip,        // starts with 1f 8b
    Png,         // starts with 89 PNG
    Jpeg,        // starts with ff d8 ff
    Idx,         // starts with two zero bytes
    LfsPointer,  // what Git LFS leaves in place of a large file
    Html,
    Text,  // its first kilobyte is printable
    Other,
};

[[nodiscard]] FileKind file_kind(BinaryFile& file);
[[nodiscard]] std::string_view name_of(FileKind kind);  // "an HTML page"; "" for Other

// The error for a file that should be `wanted`, "an IDX file", and is another. `hint`: for a file of unknown format.
[[nodiscard]] Error wrong_kind(BinaryFile& file, std::string_view wanted, std::string hint);

}  // namespace satdl
