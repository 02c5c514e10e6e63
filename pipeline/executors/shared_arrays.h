// Arrays passed to another process and back, in an unnamed file in memory (memfd_create(2)).
//
// It is written once, then sealed: it can no longer be written or truncated, so a process that maps it is safe from changes
// and from SIGBUS. Every array comes with its digest, and is checked against it before use.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "pipeline/core/array.h"
#include "pipeline/core/unique_fd.h"

namespace satdl {

using Groups = std::map<std::string, NamedArrays>;  // by port

struct SharedArray {
    std::string port, name;
    DType dtype = DType::UInt8;
    Shape shape;
    std::uint64_t offset = 0;
    Digest digest;
};

struct SharedGroups {
    std::vector<std::string> ports;  // also those without an array
    std::vector<SharedArray> arrays;
    UniqueFd file;
};

// Copies the bytes. Throws Error{Store} if there is not enough memory.
[[nodiscard]] SharedGroups share(const Groups& groups);

// The arrays, views into the mapped file. Throws Error{Store} if it is not sealed, too short, or a digest does not match.
[[nodiscard]] Groups mapped(const SharedGroups& shared);

}  // namespace satdl
