// Text and bytes on their way into a page, by where they go to; xml_text() (pipeline/core/xml.h) is for HTML itself. Whatever stands in a
// YAML file (names, descriptions, parameters) or in a record passes through one of these, or through the page's own textContent.
#pragma once

#include <string>
#include <string_view>

namespace satdl {

// JSON text into a <script> element: no `<` is left, so neither "</script" nor "<!--" can be; still the same JSON.
[[nodiscard]] std::string json_for_script(std::string_view json);
// RFC 4648, with padding.
[[nodiscard]] std::string base64(std::string_view bytes);

}  // namespace satdl
