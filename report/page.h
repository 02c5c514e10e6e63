// The page: one HTML file that loads nothing. Its style, its scripts and Vega's are files beside the program (report/ in
// the build folder), which are copied into the page; a content security policy lists each script by its
// SHA-256, so that nothing else can run in the page, whatever a name or a text contains.
#pragma once

#include <filesystem>
#include <string>

#include "pipeline/os/file_system.h"

namespace satdl {

struct PageParts {
    std::string style, scripts, vega, vega_lite, interpreter, licences;
};
// Throws Error{Usage} that names the missing file and says how to get it.
[[nodiscard]] PageParts page_parts(const std::filesystem::path& folder, FileSystem& files);

// `title`: plain text. `document`: JSON text.
[[nodiscard]] std::string page_html(const PageParts& parts, const std::string& title, const std::string& document);

}  // namespace satdl
