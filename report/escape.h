// Text on its way into a page, by where it goes to. Whatever stands in a YAML file (names, descriptions, parameters) or in a
// record passes through here or through the page's own textContent.
#pragma once

#include <string>
#include <string_view>

namespace satdl {

// Into HTML, as text or within a quoted attribute.
[[nodiscard]] std::string html_text(std::string_view text);
// JSON text into a <script> element: no `<` is left, so neither "</script" nor "<!--" can be; still the same JSON.
[[nodiscard]] std::string json_for_script(std::string_view json);
// RFC 4648, with padding.
[[nodiscard]] std::string base64(std::string_view bytes);

}  // namespace satdl
