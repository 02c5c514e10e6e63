// A remote behind HTTP, by libcurl: in a library of its own, which is loaded at the first transfer. libcurl brings some thirty other
// libraries, and would take 10 ms of each start of satdl, also where the store has everything.
#pragma once

#include <memory>

#include "pipeline/remote/http_library.h"

namespace satdl {

// Connects to nothing yet. Its perform() throws Error{Store} if satdl's library is missing.
[[nodiscard]] std::unique_ptr<Transport> http_transport(HttpOptions options);

}  // namespace satdl
