// Where damaged files go: moved away, so that they are never used, and not deleted, so that a user can look at them.
#pragma once

#include <filesystem>
#include <string>

#include "pipeline/os/file_system.h"

namespace satdl {

// Moves a file that was found damaged to quarantine/<stem>.<n>.h5, the first n from 1 on that is not taken. Where another process has put
// a new file under its name meanwhile, that stays. Throws nothing: a file that cannot be moved stays as well, and is found damaged again.
void quarantine(const std::filesystem::path& store_folder, FileSystem& files, File& damaged, const std::string& stem);

}  // namespace satdl
