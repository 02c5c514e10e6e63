// The page: one HTML file that loads nothing. Its own style and scripts and Vega's are files beside the program (report/ in
// the build folder), read when a page is made and written into it; a content security policy names each script by its
// SHA-256, so that nothing else could run in the page, whatever a name or a text holds.
#pragma once

#include <filesystem>
#include <string>

#include "pipeline/os/file_system.h"

namespace satdl {

struct PageParts {
    std::string style, scripts, vega, vega_lite, interpreter, licences;
};
// Throws Error{Usage} naming what is missing and how it is had.
[[nodiscard]] PageParts page_parts(const std::filesystem::path& folder, FileSystem& files);

// `title`: plain text. `document`: JSON text.
[[nodiscard]] std::string page_html(const PageParts& parts, const std::string& title, const std::string& document);

}  // namespace satdl
