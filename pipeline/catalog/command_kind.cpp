#include "pipeline/catalog/command_kind.h"

namespace satdl {

const StageDescription& command_kind() {
    static const StageDescription kind{
        .kind = "command",
        .version = 1,
        .help = "Run a program of yours: its inputs and outputs are files (docs/programs.md)",
        .params = {
            {.name = "run", .help = "the program and its arguments: a list, or a text that is split as a shell splits words"},
            {.name = "out", .help = "by name what it writes: array, arrays, metrics, history, file or folder"},
            {.name = "with", .fallback = "null", .help = "values by name: {NAME} in `run`"},
            {.name = "files", .fallback = "null", .help = "by name the files, folders and patterns that it reads: {files.NAME}"},
            {.name = "config_files",
             .fallback = "null",
             .help = "by path in its folder a file, written before it starts: a map of values, or a text"},
            {.name = "sources", .fallback = "null", .help = "its own code: files and patterns; only these are in its folder"},
            {.name = "env", .fallback = "null", .help = "environment variables, part of the key"},
            {.name = "pass",
             .fallback = "null",
             .help = "names of your environment variables that it sees, not part of the key",
             .changes_result = false},
            {.name = "versions", .fallback = "null", .help = "commands whose output is part of the key, such as [[python3, --version]]"},
            {.name = "paths", .fallback = "null", .help = "by input or output: its path in the program's folder"},
            {.name = "folder", .fallback = "null", .help = "the folder of the project in which it starts"},
            {.name = "shell", .type = ParamType::Boolean, .fallback = "false", .help = "run the text by /bin/sh"},
            {.name = "strict",
             .type = ParamType::Boolean,
             .fallback = "false",
             .help = "it reads only what it declares, and writes only into its own folder",
             .changes_result = false},
            {.name = "allow",
             .fallback = "null",
             .help = "folders that a strict program reads even so; they do not count",
             .changes_result = false},
            {.name = "threads",
             .type = ParamType::Integer,
             .fallback = "null",
             .min = 1,
             .max = 256,
             .help = "how many it may use; OMP_NUM_THREADS and its like say so"}}};
    return kind;
}

}  // namespace satdl
