// The folder in which the program of a command stage runs: its sources and files at their paths in the project, and nothing else of it.
//
//   train.py, lib/util.py   copies of `sources`: a program finds its modules beside it, so it finds only those that are declared
//   raw/data.csv            a link to each of `files`
//   .satdl/in, out          what arrives; where it writes, unless `paths` names other places
//   .satdl/progress, checkpoint/, tmp/
//
// It is made for one attempt and removed with it. What a killed process left is removed by the next that makes one.
#pragma once

#include <filesystem>
#include <string>

#include "pipeline/dag/dag.h"

namespace satdl {

class CommandFolder {
public:
    // Below `root`, which is made if absent. Throws Error{StageFailed} naming a file that cannot be placed.
    CommandFolder(const std::filesystem::path& root, const Node& node);
    ~CommandFolder();
    CommandFolder(const CommandFolder&) = delete;
    CommandFolder& operator=(const CommandFolder&) = delete;

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    [[nodiscard]] std::filesystem::path start() const { return path_ / node_.command->folder; }
    [[nodiscard]] std::filesystem::path progress() const { return own() / "progress"; }
    [[nodiscard]] std::filesystem::path checkpoint() const { return own() / "checkpoint"; }
    [[nodiscard]] std::filesystem::path temporary() const { return own() / "tmp"; }
    // Of an input (a file or a folder, as its kind and `format` say), an output and an entry of `files`.
    [[nodiscard]] std::filesystem::path input(const PortDescription& port, const std::string& format) const;
    [[nodiscard]] std::filesystem::path output(const PortDescription& port) const;
    [[nodiscard]] std::filesystem::path file(const CommandFiles& files) const;

private:
    [[nodiscard]] std::filesystem::path own() const { return path_ / ".satdl"; }
    void add_sources_and_files();

    const Node& node_;
    std::filesystem::path path_;
};

// Where an output's path ends: as the first placeholder of it says, else ".npy" for an array and so on; "" for files and folders.
[[nodiscard]] std::string ending_of(const CommandStage& command, const PortDescription& output);

// The files below `folder` as the arrays of a Folder port, and back: a new folder, or one that lacks them. Throws Error{StageFailed} for a
// name that is not UTF-8, a link, whatever is neither file nor folder, and too many files.
[[nodiscard]] NamedArrays files_as_arrays(const std::filesystem::path& folder);
[[nodiscard]] std::pair<std::string, Array> file_as_array(const std::filesystem::path& path, const std::string& name);
enum class FileAccess { ReadOnly, Writable };
void write_files(const NamedArrays& files, const std::filesystem::path& folder, FileAccess access = FileAccess::ReadOnly);

}  // namespace satdl
