// .dag.json in a folder of links: which DAG file they are of, and what each stage reads. A link tells neither, and an artifact knows its
// inputs by content alone: of two stages with the same content, only the DAG knows which one is read.
//
// A run writes the note before it changes a link. It keeps what it says of stages that the DAG does not have while they have a link: those
// of a sweep, or of the plain DAG.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "pipeline/dag/dag.h"
#include "pipeline/os/file_system.h"

namespace satdl {

struct ResultsNote {
    using Inputs = std::map<std::string, std::string>;  // port -> "noisy.images"

    std::filesystem::path dag_file;        // relative to the folder, as the links are to the store: both may be moved together
    std::map<std::string, Inputs> stages;  // by name
};

[[nodiscard]] std::filesystem::path note_path(const std::filesystem::path& folder);

// nullopt if the folder has no note, or what has its name is none. Throws FileError.
[[nodiscard]] std::optional<ResultsNote> read_results_note(const std::filesystem::path& folder, FileSystem& files);

// Brings the note up to date. A file of the user's that has its name stays; returns false then. Throws FileError.
[[nodiscard]] bool write_results_note(const std::filesystem::path& folder, const Dag& dag, FileSystem& files);

// The DAG file whose links the folder has, if that is another file than the DAG's and is still there.
[[nodiscard]] std::optional<std::filesystem::path> other_dag_file(const std::filesystem::path& folder, const Dag& dag, FileSystem& files);

}  // namespace satdl
