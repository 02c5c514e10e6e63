#include "pipeline/archive/tar_file.h"

#include "pipeline/archive/tar_library.h"
#include "pipeline/core/error.h"
#include "pipeline/os/shared_library.h"

namespace satdl {
namespace {

TarLibrary load_tar_library() {
    const auto path = program_folder() / "libsatdl_archive.so";
    const SharedLibrary library(path);
    const auto function = reinterpret_cast<TarLibraryFunction>(library.find(kTarLibrarySymbol));
    if (function == nullptr)
        throw Error(ExitCode::Store, path.string() + " lacks " + kTarLibrarySymbol, "build satdl again");
    return function();
}

}  // namespace

std::unique_ptr<TarReader> open_tar(const std::filesystem::path& path) {
    return load_tar_library().open(path);
}
std::unique_ptr<TarWriter> create_tar(const std::filesystem::path& path) {
    return load_tar_library().create(path);
}

}  // namespace satdl
