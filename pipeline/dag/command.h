// What a stage of kind `command` is: a program of the user's, its arguments, and what flows in and out (docs/programs.md).
//
// Its ports and parameters are its own, so the node has a description of its own as well; whatever looks at descriptions treats it like
// any other stage.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "pipeline/catalog/catalog.h"
#include "pipeline/core/config_value.h"

namespace satdl {

inline constexpr std::string_view kCommandKind = "command";
inline constexpr std::string_view kSourceRole = "source";  // SourceFile::role of `sources`

// `{in.x:npy}` in an argument, replaced when the program starts.
struct Placeholder {
    enum class Kind {
        Input,   // {in.NAME}: the path of a file (or folder) with what arrives
        Output,  // {out.NAME}: the path that the program writes
        File,    // {files.NAME}: the path of the file or folder; of a pattern, all of them
        Value,   // {NAME}: the value under `with`
        Folder,  // {work}: the folder in which the program runs
    };
    Kind kind = Kind::Value;
    std::string name{};
    std::string format{};  // inputs: what the file is written as; outputs: the ending of its name; "": the usual one
    bool operator==(const Placeholder&) const = default;
};

using ArgumentPart = std::variant<std::string, Placeholder>;
using Argument = std::vector<ArgumentPart>;

// An entry of `files`.
struct CommandFiles {
    enum class Kind { File, Folder, Pattern };
    std::string name{};
    std::filesystem::path path{};  // as written: in the project, or absolute
    Kind kind = Kind::File;
};

struct CommandStage {
    CatalogEntry entry{};                    // its description: the ports of this very stage
    ConfigValue written{};                   // the stage's map without `kind` and `in`, resolved: what a record needs to make it again
    std::filesystem::path project{};         // absolute: where its relative paths begin
    std::vector<Argument> run{};             // with `shell`: one argument, the text
    bool shell = false;
    std::vector<CommandFiles> files{};
    std::map<std::string, std::string> config_files{};  // by path in its folder what is written there before it starts
    std::map<std::string, std::string> env{};
    std::vector<std::string> pass{};         // environment variables that are passed on and not keyed
    std::vector<std::vector<std::string>> versions{};  // programs whose output is part of the key
    std::map<std::string, std::string> paths{};        // by input or output: where the program finds or writes it, in its folder
    std::string folder{};                    // where in its own folder it starts; "": there
    int threads = 1;
    bool strict = false;                         // it can open only what it declares
    std::vector<std::filesystem::path> allow{};  // files and folders that it can read even so; absolute
};

// A version's program as its part of a recipe is named: "output of python3 --version".
[[nodiscard]] std::string version_part(const std::vector<std::string>& program);

// The environment that its programs see, "NAME=text": PATH, HOME and a few others that say who and where the user is, those of `pass`,
// and `env`. Nothing else of the user's: it would be an input that nobody declared.
[[nodiscard]] std::vector<std::string> environment_of(const CommandStage& command);

// What an input may be written as, for an input of that kind, the usual one first: "h5", "npy", "csv".
[[nodiscard]] std::vector<std::string> input_formats(PortKind kind);

// What an output of that kind may be written as, the usual one first; "": anything, which is the ending of its name.
[[nodiscard]] std::vector<std::string> output_formats(PortKind kind);

// Where a file of its `files` or `sources` lies in the program's folder; an absolute path stays where it is.
[[nodiscard]] std::filesystem::path path_in_folder(const CommandStage& command, const SourceFile& file);

// The format of each placeholder of `run` for this input or output, in their order; "" of those that name none.
[[nodiscard]] std::vector<std::string> formats_in_run(const CommandStage& command, Placeholder::Kind kind, std::string_view name);

// The argument as it is written.
[[nodiscard]] std::string text_of(const Argument& argument);

}  // namespace satdl
