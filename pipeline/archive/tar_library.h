// What libsatdl_archive.so exports: all of satdl that includes libarchive.
#pragma once

#include <filesystem>
#include <memory>

#include "pipeline/archive/tar_file.h"

namespace satdl {

struct TarLibrary {
    std::unique_ptr<TarReader> (*open)(const std::filesystem::path& path);
    std::unique_ptr<TarWriter> (*create)(const std::filesystem::path& path);
};

// Exported under this name, as a TarLibraryFunction.
using TarLibraryFunction = TarLibrary (*)();
inline constexpr const char* kTarLibrarySymbol = "satdl_tar_library";

}  // namespace satdl
