// What libsatdl_http.so exports: all of satdl that includes libcurl.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "pipeline/remote/transport.h"

namespace satdl {

struct HttpOptions {
    std::string url;            // "https://cache.lab/satdl"; without user, query and a slash at its end
    std::string user{};         // Basic authentication; "": none
    std::string password{};
    std::string token{};        // Bearer authentication; "": none
    std::string authorities{};  // a PEM file with the certificates of those who may vouch for the server; "": the system's
    std::function<bool()> is_stopped{};  // then what is under way ends at once
};

// Exported under this name.
using HttpLibraryFunction = std::unique_ptr<Transport> (*)(const HttpOptions& options);
inline constexpr const char* kHttpLibrarySymbol = "satdl_http_library";

}  // namespace satdl
