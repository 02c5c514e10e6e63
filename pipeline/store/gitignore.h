// A store is no part of the user's repository.
#pragma once

#include <filesystem>

#include "pipeline/os/file_system.h"

namespace satdl {

// Gives the store a .gitignore that hides everything in it, unless it has one. In a folder that holds other things too, what Git sees is
// the user's business: then nothing is done. Never throws: a .gitignore that cannot be written fails no command.
void keep_out_of_git(const std::filesystem::path& store_folder, FileSystem& files);

}  // namespace satdl
