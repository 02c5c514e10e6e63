// The files in a folder and in the folders below it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace satdl {

// Their names relative to `folder`, in ascending order of their bytes; a folder without any stands there itself, with a '/' at its end.
// What begins with '.' is left out, and links are followed. Throws Error{Store} naming what cannot be listed, what is neither a file nor a
// folder, and a folder that is too deep (a link to one above it).
[[nodiscard]] std::vector<std::string> files_below(const std::filesystem::path& folder);

}  // namespace satdl
