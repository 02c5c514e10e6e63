// Escapes text and bytes for their place in a page; xml_text() (pipeline/core/xml.h) is for HTML itself. Everything from a
// YAML file (names, descriptions, parameters) or from a record passes through one of these, or through textContent in the page.
#pragma once

#include <string>
#include <string_view>

namespace satdl {

// JSON text into a <script> element: no `<` is left, so neither "</script" nor "<!--" can be; still the same JSON.
[[nodiscard]] std::string json_for_script(std::string_view json);

}  // namespace satdl
