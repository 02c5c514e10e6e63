// What the headers of source files say of their arrays, read once for each content. What is not cheap to read (HDF5 needs a process of its
// own, a folder has many images) is remembered in the index, by the content's digest: a plan in which nothing changed reads none of them.
#pragma once

#include "pipeline/array_files/array_file.h"
#include "pipeline/os/file_system.h"
#include "pipeline/store/index.h"

namespace satdl {

// array_type_of_file, with its memory; within one such reader, a file is taken to stay as it is. References outlive it. Not to be shared by
// threads.
[[nodiscard]] ArrayTypeReader remembered_array_types(Index& index, FileSystem& files);

}  // namespace satdl
