// What a path names if not a regular file. Such a file is refused by name before it is opened: a named pipe keeps its reader waiting, and
// some devices never end.
#pragma once

#include <filesystem>
#include <string_view>

namespace satdl {

// "a folder", "a named pipe", "a socket", "a device"; "" for a regular file, and where there is nothing, or nobody can say. Follows links.
[[nodiscard]] std::string_view special_kind_of(const std::filesystem::path& path);

// Throws FileError for a file of a special kind.
void check_is_regular(const std::filesystem::path& path);

}  // namespace satdl
