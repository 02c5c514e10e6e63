// satdl import: artifacts of another store, weights as a stage, the pipeline of another tool as a DAG file.
#include <fmt/format.h>

#include "commands/import/dvc_dag.h"
#include "commands/import/weights_dag.h"
#include "commands/shared/output_file.h"
#include "commands/shared/session.h"
#include "commands/shared/share_file.h"
#include "commands/shared/warnings.h"
#include "pipeline/catalog/command_kind.h"
#include "pipeline/core/ascii.h"
#include "pipeline/dag_file/dag_source.h"
#include "pipeline/display/text_format.h"
#include "pipeline/yaml/yaml_writer.h"

namespace fs = std::filesystem;

namespace satdl {

namespace {

struct ImportOptions {
    std::string what;
    std::string file;    // of dvc; "": dvc.yaml
    std::string output;  // "": dag.yaml beside dvc.yaml; stdout for weights
    std::string store = kDefaultStore;
};

constexpr std::string_view kDvc = "dvc";

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

ExitCode import_dvc(ImportOptions options) {
    if (options.file.empty()) options.file = "dvc.yaml";
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

ExitCode import_tar(const ImportOptions& options) {
    if (!options.output.empty())
        throw Error(ExitCode::Usage, "-o is the DAG file to write, and none is written here", "--store names the store");
    const ImportedShare imported = import_share(options.what, options.store);
    fmt::print("{}: {} of {} artifacts ({}) and {} of {} run records were new, every byte was checked\n", printable(options.what),
               imported.new_artifacts, imported.artifacts, bytes_text(imported.bytes), imported.new_runs, imported.runs);
    if (!imported.dags.empty())
        fmt::print("`satdl log` lists the runs; a run of {} with the same files reuses the artifacts, and links them in results/\n",
                   printable(fmt::format("{}", fmt::join(imported.dags, ", "))));
    return ExitCode::Done;
}

ExitCode import_weights(const ImportOptions& options) {
    if (options.output.empty()) {
        fmt::print("{}", weights_dag(options.what, "."));
        return ExitCode::Done;
    }
    std::error_code error;
    if (fs::exists(options.output, error))
        throw Error(ExitCode::Usage, fmt::format("{} exists already", printable(options.output)),
                    "remove it, or choose another name with -o");
    const std::string text = weights_dag(options.what, fs::path(options.output).parent_path());
    OutputFile(options.output, "the DAG", "-o", {{options.what}, options.store}).write(text);
    fmt::print("{}\n", printable(options.output));
    return ExitCode::Done;
}

ExitCode import_file(const ImportOptions& options) {
    if (options.what == kDvc) return import_dvc(options);
    if (!options.file.empty())
        throw Error(ExitCode::Usage, fmt::format("one file at a time: '{}' is one too many", printable(options.file)));
    std::error_code error;
    const fs::file_status status = fs::status(options.what, error);
    if (!fs::exists(status))
        throw Error(ExitCode::Usage, fmt::format("there is no file '{}'", printable(options.what)),
                    "satdl import FILE: a .tar of `satdl export`, weights (.safetensors, .npz); `satdl import dvc` reads dvc.yaml");
    if (!fs::is_regular_file(status)) throw Error(ExitCode::Usage, fmt::format("'{}' is not a file", printable(options.what)));
    if (fs::path(options.what).filename() == "dvc.yaml")
        throw Error(ExitCode::Usage, fmt::format("'{}' is a pipeline of DVC", printable(options.what)),
                    fmt::format("satdl import dvc {}", printable(options.what)));
    const bool is_tar = lower(fs::path(options.what).extension().string()) == ".tar" || looks_like_tar(options.what);
    return is_tar ? import_tar(options) : import_weights(options);
}

}  // namespace

void add_import_command(Command& program) {
    program.add_command<ImportOptions>(
        "import", "take in what another store, another library or another tool has made",
        "What it takes:\n"
        "- a .tar of `satdl export`: its artifacts and runs go into the store. Every byte is checked first, and nothing is replaced.\n"
        "- weights, .safetensors or .npz: prints a DAG with a stage of kind model that reads them. Complete it: see its comments.\n"
        "- dvc: an equivalent DAG file from a dvc.yaml. It is only read, and nothing runs. What differs is reported with its line "
        "(docs/programs.md); exit code 2: the DAG does not run before you have done what the errors say.\n"
        "Examples:\n"
        "  satdl import full.tar\n"
        "  satdl import resnet.safetensors -o resnet.yaml\n"
        "  satdl import dvc\n"
        "  satdl import dvc pipelines/dvc.yaml -o pipelines/train.yaml",
        [](Command& command, ImportOptions& options) {
            command.add_option("what", options.what, "the file, or `dvc`").required().type_name("FILE");
            command.add_option("file", options.file, "of dvc: the pipeline; default: dvc.yaml").type_name("DVC_FILE");
            command
                .add_option("-o,--output", options.output,
                            "the DAG file to write; default: stdout; of dvc: dag.yaml, in the folder of the pipeline")
                .type_name("FILE");
            add_store_option(command, options.store);
        },
        import_file);
}

}  // namespace satdl
