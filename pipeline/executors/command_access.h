// What the program of a command stage may open if the stage is `strict` (docs/programs.md): its own folder; what the stage declares; and
// what belongs to the machine and not to the project: the system, installed programs such as the interpreter, a few devices.
//
// What is installed is found without running anything: a folder of PATH, or the one of a program, and of what links and `#!` lead to from
// there, is the `bin` of an installation, which is the folder above; a virtual environment also names the one that it was made from.
// Rejected: asking the interpreter for its paths, which would run code of the project and take longer than many stages.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "pipeline/executors/command_folder.h"
#include "pipeline/os/file_watch.h"
#include "pipeline/os/landlock.h"

namespace satdl {

class CommandAccess {
public:
    // Of a stage whose program starts with these arguments in this environment ("NAME=text").
    CommandAccess(const Node& node, const CommandFolder& folder, const std::vector<std::string>& argv,
                  const std::vector<std::string>& environment);

    // So that everything can be read.
    void allow_reading_everything();
    // `path`: without links.
    [[nodiscard]] bool allows(FileUse::Kind kind, const std::filesystem::path& path) const;
    // Whether it belongs to the machine, and so needs no declaration.
    [[nodiscard]] bool is_installed(const std::filesystem::path& path) const { return installed_.covers(path); }
    // Precondition: the kernel has Landlock.
    [[nodiscard]] LandlockRules rules() const;

private:
    // Files, and folders with all that is below.
    struct Paths {
        std::set<std::filesystem::path> all{};
        [[nodiscard]] bool covers(const std::filesystem::path& path) const;
    };

    void add_installed(const std::filesystem::path& path);
    void add_system();
    void add_programs(const std::vector<std::string>& argv, const std::vector<std::string>& environment);
    void add_program(std::filesystem::path program, int depth);
    void add_folder_of_programs(const std::filesystem::path& folder);
    void add_declared(const Node& node);

    const std::filesystem::path project_;  // without links, as all others
    std::vector<std::filesystem::path> path_;  // folders of $PATH
    std::set<std::filesystem::path> seen_;     // by add_folder_of_programs()
    Paths installed_, readable_, writable_;
};

}  // namespace satdl
