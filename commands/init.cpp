// satdl init: the files of a new project, to begin with: a DAG of one stage, and its program.
#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string_view>

#include "commands/shared/command.h"
#include "commands/shared/command_line.h"
#include "pipeline/core/error.h"

namespace satdl {
namespace {

namespace fs = std::filesystem;

struct InitOptions {
    std::string folder = ".";
};

struct NewFile {
    std::string_view name, text;
};

constexpr std::array kFiles{
    NewFile{"dag.yaml", R"(params: {epochs: 20, lr: 0.1}
stages:
  train:
    kind: command
    run: python3 train.py --epochs {epochs} --lr {lr} --model {out.model:json} --metrics {out.metrics}
    sources: [train.py]                          # its code: a change of it runs the stage again
    # files: {data: data.csv}                    # what it reads: {files.data} in `run`
    with: {epochs: "${epochs}", lr: "${lr}"}     # its values
    out: {model: file, metrics: metrics}         # what it writes
    strict: true                                 # it can read nothing else of the project
)"},
    NewFile{"train.py", R"(import argparse
import json

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, required=True)
parser.add_argument("--lr", type=float, required=True)
parser.add_argument("--model", required=True)
parser.add_argument("--metrics", required=True)
given = parser.parse_args()

# The slope of a line through these points, by gradient descent.
points = [(1.0, 2.1), (2.0, 3.9), (3.0, 6.2)]
slope = 0.0
for epoch in range(given.epochs):
    slope -= given.lr * sum(2 * x * (slope * x - y) for x, y in points) / len(points)
loss = sum((slope * x - y) ** 2 for x, y in points) / len(points)

with open(given.model, "w") as model:
    json.dump({"slope": slope}, model)
with open(given.metrics, "w") as metrics:
    json.dump({"loss": loss}, metrics)
)"}};

[[noreturn]] void cannot_write(const fs::path& path, const std::string& why) {
    throw Error(ExitCode::Usage, fmt::format("cannot write {}: {}", printable(path.string()), why));
}

// Only if nothing is there, whatever others do meanwhile.
void write_new(const fs::path& path, std::string_view text) {
    std::FILE* const file = std::fopen(path.c_str(), "wx");
    if (file == nullptr) cannot_write(path, std::strerror(errno));
    const bool is_written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
    if (std::fclose(file) != 0 || !is_written) cannot_write(path, std::strerror(errno));
}

bool leads_nowhere(const fs::path& path) {
    std::error_code error;
    const bool has_parent = path.has_relative_path() && path.has_parent_path();
    return (fs::is_symlink(path, error) && !fs::exists(path, error)) || (has_parent && leads_nowhere(path.parent_path()));
}

ExitCode init(const InitOptions& options) {
    const fs::path folder = options.folder;
    std::error_code error;
    for (const NewFile& file : kFiles) {
        if (fs::symlink_status(folder / file.name, error).type() == fs::file_type::not_found || error) continue;
        throw Error(ExitCode::Usage,
                    fmt::format("{} exists already, and is not replaced", printable((folder / file.name).lexically_normal().string())),
                    "choose another folder: satdl init DIR");
    }
    fs::create_directories(folder, error);
    if (error) cannot_write(folder, leads_nowhere(folder) ? "a link on its way leads nowhere" : error.message());
    for (const NewFile& file : kFiles) {
        write_new(folder / file.name, file.text);
        fmt::print("wrote {}\n", printable((folder / file.name).lexically_normal().string()));
    }
    fmt::print("\nnext:\n");
    if (folder.lexically_normal() != ".") fmt::print("  cd {}\n", printable(folder.string()));
    fmt::print("  satdl run dag.yaml                  # runs it\n"
               "  satdl run dag.yaml                  # again: nothing changed\n"
               "  satdl run dag.yaml lr=0.01,0.1      # a sweep: its metrics side by side\n");
    return ExitCode::Done;
}

}  // namespace

void add_init_command(Command& program) {
    program.add_command<InitOptions>(
        "init", "write a DAG file with one stage, and its program, to begin with",
        "Replaces no file.\nExamples:\n  satdl init\n  satdl init experiment",
        [](Command& command, InitOptions& options) {
            command.add_option("folder", options.folder, "where; made if absent (default: here)").type_name("DIR");
        },
        init);
}

}  // namespace satdl
