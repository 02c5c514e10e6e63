// satdl selftest: checks that a file system is suitable for a store.
#include <fmt/format.h>
#include <stdlib.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "commands/shared/session.h"
#include "pipeline/core/json.h"
#include "pipeline/display/progress_display.h"
#include "pipeline/display/text_format.h"
#include "pipeline/store/file_system_probe.h"

namespace fs = std::filesystem;

namespace satdl {

namespace {

struct SelftestOptions {
    StoreOptions store;
    bool json = false;
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

ExitCode selftest(const SelftestOptions& options) {
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
        "selftest", "check that the file system is suitable for the store",
        "Each check does what a store does, in a temporary folder.\n"
        "Exit code 3: unsafe, do not keep a store there.\n"
        "Examples:\n  satdl selftest\n  satdl selftest --store /data/satdl",
        [](Command& command, SelftestOptions& options) {
            command.add_flag("--json", options.json, "print the result as JSON (docs/json.md)");
            add_store_options(command, options.store);
        },
        selftest);
}

}  // namespace satdl
