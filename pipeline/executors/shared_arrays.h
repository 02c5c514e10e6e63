// Arrays on their way into another process and back: in a file without a name that lives in memory (memfd_create(2)).
//
// It is written once, then sealed: nobody can write to it or cut it short any more, so who maps it needs to fear neither a change
// under his hands nor SIGBUS. Every array has its digest beside it, and is checked against it before it is believed.
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

// Copies the bytes. Throws Error{Store} where there is no memory for them.
[[nodiscard]] SharedGroups share(const Groups& groups);

// The arrays, views into the mapped file. Throws Error{Store}: it is not sealed, too short, or a digest does not fit.
[[nodiscard]] Groups mapped(const SharedGroups& shared);

}  // namespace satdl
