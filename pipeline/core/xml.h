// Text on its way into XML or HTML.
#pragma once

#include <string>
#include <string_view>

namespace satdl {

// `& < > " '` as entities: for text and for quoted attributes. Control characters stay: printable() is for those.
[[nodiscard]] std::string xml_text(std::string_view text);

}  // namespace satdl
