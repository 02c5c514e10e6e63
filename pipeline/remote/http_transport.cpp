#include "pipeline/remote/http_transport.h"

#include "pipeline/core/error.h"
#include "pipeline/os/shared_library.h"

namespace satdl {

std::unique_ptr<Transport> http_transport(const HttpOptions& options) {
    const auto path = program_folder() / "libsatdl_http.so";
    const SharedLibrary library(path);
    const auto function = reinterpret_cast<HttpLibraryFunction>(library.find(kHttpLibrarySymbol));
    if (function == nullptr) throw Error(ExitCode::Store, path.string() + " lacks " + kHttpLibrarySymbol, "build satdl again");
    return function(options);
}

}  // namespace satdl
