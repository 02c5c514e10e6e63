// Which results folders have links into a store: results-folders in the store, a path per line, relative to the store as the links are to
// their folder, so that both may be moved together. Garbage collection keeps what any of them links to.
#pragma once

#include <filesystem>
#include <vector>

#include "pipeline/os/file_system.h"

namespace satdl {

// Both folders exist. Throws FileError.
void remember_results_folder(const std::filesystem::path& store_folder, const std::filesystem::path& results, FileSystem& files);

// Those of all runs, also if they are gone. Throws FileError.
[[nodiscard]] std::vector<std::filesystem::path> known_results_folders(const std::filesystem::path& store_folder, FileSystem& files);

}  // namespace satdl
