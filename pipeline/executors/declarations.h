// What a command stage should declare of the files that its program reads, as YAML that can be pasted.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "pipeline/dag/dag.h"

namespace satdl {

// By its ending, in whatever case: to be a source, rather than data.
[[nodiscard]] bool is_code(const std::filesystem::path& path);

// "files: {data: raw/data.csv}" or "sources: [train.py]", for one file: sources are relative to the project.
[[nodiscard]] std::string declaration_of(const std::filesystem::path& path);

struct FilesRead {
    std::set<std::filesystem::path> of_project{};  // relative to it
    std::set<std::filesystem::path> programs{};    // those of them that were run
    std::set<std::filesystem::path> elsewhere{};   // neither in the project nor installed; absolute
};

// The lines `files:` and `sources:` of the stage. What is declared already keeps its name if it was read; many files of one kind in a
// folder become a pattern. What was read elsewhere is a comment.
[[nodiscard]] std::string declarations(const FilesRead& read, const Node& node);

}  // namespace satdl
