// satdl selftest: checks that a file system is suitable for a store.
#include <fmt/format.h>
#include <stdlib.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <variant>

#include "commands/shared/session.h"
#include "pipeline/core/json.h"
#include "pipeline/display/progress_display.h"
#include "pipeline/display/text_format.h"
#include "pipeline/os/shared_library.h"
#include "pipeline/plan/machine.h"
#include "pipeline/store/file_system_probe.h"

namespace fs = std::filesystem;

namespace satdl {

namespace {

struct SelftestOptions {
    StoreOptions store;
    std::vector<std::string> stages;  // further stage libraries
    bool machine = false, json = false;
};

// A temporary folder, removed by the destructor.
class TrialFolder {
public:
    explicit TrialFolder(const fs::path& parent) {
        std::string name = (parent / ".satdl-selftest-XXXXXX").string();
        if (mkdtemp(name.data()) == nullptr) throw FileError(errno, "create a folder in", parent);
        path_ = name;
    }
    ~TrialFolder() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    TrialFolder(const TrialFolder&) = delete;
    TrialFolder& operator=(const TrialFolder&) = delete;
    [[nodiscard]] const fs::path& path() const { return path_; }

private:
    fs::path path_;
};

// The store, or the nearest existing folder above it.
fs::path place_of(const fs::path& store, FileSystem& files) {
    fs::path place = fs::absolute(store);
    while (!files.stamp(place) && place.has_relative_path()) place = place.parent_path();
    return place;
}

// As `machine:` of an executor has it: what the keys of numeric stages depend on.
ExitCode print_machine(const SelftestOptions& options) {
    const Machine machine = this_machine();
    std::map<fs::path, Gpu> gpus;  // by stage library
    const Catalog catalog = load_catalog(program_folder(), options.stages);
    StageLibraries libraries;
    for (const std::string& kind : catalog.kinds()) {
        const CatalogEntry& entry = *catalog.find(kind);
        if (entry.description.param(ParamType::Device) == nullptr || gpus.contains(entry.library)) continue;
        const GpuAnswer answer = libraries.find_gpu(entry);
        if (const Gpu* const gpu = std::get_if<Gpu>(&answer)) gpus.emplace(entry.library, *gpu);
    }
    // JSON's texts are YAML's.
    fmt::print("machine:\n  cpu: {}\n", dump_json(machine.cpu));
    if (!machine.processor.empty()) fmt::print("  processor: {}\n", dump_json(machine.processor));
    if (!gpus.empty()) {  // all libraries see the same one
        const Gpu& gpu = gpus.begin()->second;
        fmt::print("  gpu: {{name: {}, numerics: {}, bf16: {}}}\n", dump_json(gpu.name), dump_json(gpu.numerics), gpu.bf16);
    }
    return ExitCode::Done;
}

ExitCode selftest(const SelftestOptions& options) {
    if (options.machine) return print_machine(options);
    const auto files = real_file_system();
    const fs::path place = place_of(options.store.store, *files);
    const TrialFolder trial(place);
    const std::vector<FileSystemCheck> checks = probe_file_system(trial.path(), *files);
    const bool usable = std::ranges::none_of(checks, [](const FileSystemCheck& one) { return one.verdict == Verdict::Fatal; });
    if (options.json) {
        Json list = Json::array();
        for (const FileSystemCheck& one : checks) {
            list.push_back({{"question", one.name}, {"verdict", name_of(one.verdict)}, {"holds", one.verdict == Verdict::Ok},
                            {"must", one.verdict == Verdict::Fatal}, {"found", one.found}, {"follows", one.consequence}});
        }
        fmt::print("{}\n", dump_json({{"folder", place.string()}, {"usable", usable}, {"answers", std::move(list)}}));
    } else {
        Table table{.title = {}, .columns = {"on this file system", "verdict", "found"}, .rows = {}, .notes = {}};
        for (const FileSystemCheck& one : checks) {
            table.rows.push_back({one.name, std::string(name_of(one.verdict)), one.found});
            if (!one.consequence.empty()) table.notes.push_back(fmt::format("{}: {}", one.name, one.consequence));
        }
        table.notes.push_back(fmt::format("{}: {}", place.string(), usable ? "fit for a store" : "unsafe: do not keep a store there"));
        fmt::print("{}", table_text(table, stdout_columns()));
    }
    return usable ? ExitCode::Done : ExitCode::Store;
}

}  // namespace

void add_selftest_command(Command& program) {
    program.add_command<SelftestOptions>(
        "selftest", "check that the file system is suitable for the store, or describe this machine",
        "Each check does what a store does, in a temporary folder.\n"
        "Exit code 3: unsafe, do not keep a store there.\n"
        "Examples:\n  satdl selftest\n  satdl selftest --store /data/satdl\n"
        "  srun --partition gpu satdl selftest --machine",
        [](Command& command, SelftestOptions& options) {
            command.add_flag("--machine", options.machine,
                             "print instead what results depend on in this machine, as YAML for an executor (docs/cluster.md)");
            add_stages_option(command, options.stages);
            command.add_flag("--json", options.json, "print the result as JSON (docs/json.md)");
            add_store_options(command, options.store);
        },
        selftest);
}

}  // namespace satdl
