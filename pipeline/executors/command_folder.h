// The folder in which the program of a command stage runs: its sources and files at their paths in the project, and nothing else of it.
//
//   train.py, lib/util.py   copies of `sources`: a program finds its modules beside it, so it finds only those that are declared
//   raw/data.csv            a link to each of `files`
//   params.yaml             each of `config_files`
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
    // Links to all other files of the project as well, but for hidden ones and what is in `but`: so that a program finds what the stage
    // does not declare yet.
    void add_undeclared(const std::filesystem::path& but);
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
    void add_sources();
    void add_config_files();
    void add_files();

    const Node& node_;
    std::filesystem::path path_;
};

// Where an output's path ends: as the first placeholder of it says, else ".npy" for an array and so on; "" for files and folders.
[[nodiscard]] std::string ending_of(const CommandStage& command, const PortDescription& output);

}  // namespace satdl
