// The HDF5 writer as the programs load it.
#pragma once

#include "pipeline/hdf5/hdf5_layout.h"
#include "pipeline/os/shared_library.h"

namespace satdl::test {

inline Hdf5LayoutFunction hdf5_writer() {
    static const SharedLibrary library(program_folder() / "libsatdl_hdf5.so");
    return reinterpret_cast<Hdf5LayoutFunction>(library.find(kHdf5LayoutSymbol));
}

}  // namespace satdl::test
