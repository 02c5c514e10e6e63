// A remote behind HTTP, by libcurl: in a library of its own, which is loaded when a remote is used. libcurl brings some thirty other
// libraries, and would take 10 ms of each start of satdl.
#pragma once

#include <memory>

#include "pipeline/remote/http_library.h"

namespace satdl {

// Connects to nothing yet. Throws Error{Store} if satdl's library is missing.
[[nodiscard]] std::unique_ptr<Transport> http_transport(const HttpOptions& options);

}  // namespace satdl
