// Files as arrays of bytes and back: what File and Folder ports carry (pipeline/stage.h).
#pragma once

#include <filesystem>
#include <string>
#include <utility>

#include "pipeline/stage.h"

namespace satdl {

// The files below `folder`. Throws Error{StageFailed} for a name that is not printable UTF-8, a link, whatever is neither file nor folder,
// and too many files.
[[nodiscard]] NamedArrays files_as_arrays(const std::filesystem::path& folder);
// One file, as it is called there. Throws likewise.
[[nodiscard]] std::pair<std::string, Array> file_as_array(const std::filesystem::path& path, const std::string& name);

// The path of the file that an array is: "sub/a.txt" of "files/sub/a.txt".
[[nodiscard]] std::string path_of_file(const std::string& array_name);

// Writes them below `folder`, executable where they were. Throws Error{StageFailed}.
enum class FileAccess { ReadOnly, Writable };
void write_files(const NamedArrays& files, const std::filesystem::path& folder, FileAccess access = FileAccess::ReadOnly);
// Writes one of them as `path`.
void write_file(const std::string& array_name, const Array& bytes, const std::filesystem::path& path,
                FileAccess access = FileAccess::ReadOnly);

}  // namespace satdl
