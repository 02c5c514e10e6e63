// Bytes as text: RFC 4648, with padding, without line feeds.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace satdl {

[[nodiscard]] std::string base64(std::string_view bytes);
// nullopt for whatever base64() does not give for any bytes.
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);

}  // namespace satdl
