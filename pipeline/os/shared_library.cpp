#include "pipeline/os/shared_library.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include "pipeline/core/error.h"

namespace satdl {

SharedLibrary::SharedLibrary(const std::filesystem::path& path) : path_(path), handle_(nullptr) {
    // A name without a slash would be searched for in the system's folders: here a path is a path.
    handle_ = dlopen(std::filesystem::absolute(path_).c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle_ != nullptr) return;
    const char* const loader_message = dlerror();
    const std::string reason = loader_message != nullptr ? loader_message : "the loader gives no reason";
    throw Error(ExitCode::Store, fmt::format("cannot load '{}': {}", printable(path_.string()), printable(reason)));
}

SharedLibrary::~SharedLibrary() = default;

void* SharedLibrary::find(const std::string& symbol) const {
    return dlsym(handle_, symbol.c_str());
}

std::filesystem::path program_folder() {
    return std::filesystem::read_symlink("/proc/self/exe").parent_path();
}

}  // namespace satdl
