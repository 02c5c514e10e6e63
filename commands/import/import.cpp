// satdl import: the pipeline of another tool as a DAG file.
#include <fmt/format.h>

#include "commands/import/dvc_dag.h"
#include "commands/shared/output_file.h"
#include "commands/shared/session.h"
#include "commands/shared/warnings.h"
#include "pipeline/catalog/command_kind.h"
#include "pipeline/dag_file/dag_source.h"
#include "pipeline/yaml/yaml_writer.h"

namespace fs = std::filesystem;

namespace satdl {

namespace {

struct ImportOptions {
    std::string file = "dvc.yaml";
    std::string output;  // "": dag.yaml beside it
};

fs::path output_of(const ImportOptions& options) {
    const fs::path folder = fs::path(options.file).parent_path();
    const fs::path output = options.output.empty() ? folder / "dag.yaml" : fs::path(options.output);
    std::error_code error;
    if (fs::weakly_canonical(fs::absolute(output), error).parent_path() !=
        fs::weakly_canonical(fs::absolute(options.file), error).parent_path())
        throw Error(ExitCode::Usage, fmt::format("{} is not in the folder of {}", printable(output.string()), printable(options.file)),
                    "relative paths begin at the folder of the DAG file");
    if (fs::exists(output, error))
        throw Error(ExitCode::Usage, fmt::format("{} exists already", printable(output.string())),
                    "remove it, or choose another name with -o");
    return output;
}

// What only a DAG file's own checks find, such as a name that is too long. Throws Error{Usage}.
void check(const fs::path& dag) {
    Catalog catalog;
    catalog.add({.stages = {command_kind()}});
    (void)DagSource(dag).build({}, catalog, DatasetIndex({}));
}

ExitCode import_dvc(const ImportOptions& options) {
    const fs::path output = output_of(options);
    ImportNotes notes;
    DvcFile file(options.file, notes);
    const ConfigValue dag = dag_of(file, notes);
    OutputFile(output.string(), "the DAG", "-o", {{options.file}, kDefaultStore})
        .write(fmt::format(
            "# Imported from {} by `satdl import dvc` (docs/programs.md).{}\n{}", printable(fs::path(options.file).filename().string()),
            dag.find("params") != nullptr ? " Its parameters are those below: no other file is read for them." : "", yaml_text(dag)));
    if (const std::string text = notes.text(); !text.empty()) print_on_stderr(text);
    if (notes.has_failed()) return ExitCode::Usage;
    check(output);
    fmt::print("{}\n", printable(output.string()));
    return ExitCode::Done;
}

}  // namespace

void add_import_command(Command& program) {
    Command group = program.add_group("import", "write a DAG file from the pipeline of another tool", "Example:\n  satdl import dvc");
    group.add_command<ImportOptions>(
        "dvc", "write an equivalent DAG file from a dvc.yaml",
        "The file is only read, and nothing runs. What differs is reported with its line (docs/programs.md).\n"
        "Exit code 2: the DAG does not run before you have done what the errors say.\n"
        "Examples:\n  satdl import dvc\n  satdl import dvc pipelines/dvc.yaml -o pipelines/train.yaml",
        [](Command& command, ImportOptions& options) {
            command.add_option("file", options.file, "the pipeline").show_default();
            command.add_option("-o,--output", options.output, "the DAG file to write, in the same folder; default: dag.yaml")
                .type_name("FILE");
        },
        import_dvc);
}

}  // namespace satdl
