// The files of a folder, and those that a pattern matches.
//
// Links to files are followed; links to folders are refused, so that a walk ends and no file has two names. What is neither a file nor a
// folder (a pipe, a device, a socket) is refused, too: reading it would wait or never end.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace satdl {

struct TreeFile {
    std::string name;  // relative to the root: "sub/a.txt"
    std::filesystem::path path;
};

// All files in the folder and below, by name. Throws Error{Usage} naming what is refused or cannot be read.
[[nodiscard]] std::vector<TreeFile> files_below(const std::filesystem::path& root);

// Whether the text has a character of a pattern: `*`, `?` or `[`.
[[nodiscard]] bool is_pattern(std::string_view text);

// The files below `root` that match, by name: `*` and `?` within a part of the path, `**` for any folders (none as well). As for a shell,
// names that begin with a dot match only where the pattern has the dot; what is `left_out` is as if it were not there. Throws as above; a
// pattern is relative, without "..".
[[nodiscard]] std::vector<TreeFile> files_matching(const std::filesystem::path& root, const std::string& pattern,
                                                   const std::function<bool(const std::filesystem::path&)>& left_out = nullptr);

// For folders that people look into, of images for instance: the names of the files below `folder`, relative to it, in ascending order of
// their bytes; a folder without any stands there itself, with a '/' at its end. What begins with '.' is left out, and links are followed.
// Throws Error{Store} naming what cannot be listed, what is neither a file nor a folder, and a folder that is too deep (a link to one above
// it).
[[nodiscard]] std::vector<std::string> visible_files_below(const std::filesystem::path& folder);

}  // namespace satdl
