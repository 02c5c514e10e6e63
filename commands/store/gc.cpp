// satdl cache gc: removes the artifacts that are not in use. In use are those that results folders link to, those of the last runs, and those
// of the DAG files that are named. pipeline/store/garbage.h has what goes of the rest; server_gc.h has the folder of a cache server.
#include "commands/store/gc.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "commands/shared/session.h"
#include "commands/shared/warnings.h"
#include "commands/store/server_gc.h"
#include "pipeline/core/json.h"
#include "pipeline/display/progress_display.h"
#include "pipeline/display/run_summary.h"
#include "pipeline/display/text_format.h"
#include "pipeline/records/json_events.h"
#include "pipeline/records/run_record.h"
#include "pipeline/store/garbage.h"
#include "pipeline/store/layout.h"
#include "pipeline/store/results_folders.h"
#include "pipeline/store/store_lock.h"

namespace fs = std::filesystem;

namespace satdl {

namespace {

constexpr const char* kStoreLayout = "store";
constexpr const char* kServerLayout = "bazel";
constexpr double kTenMinutes = 10.0 / (24 * 60);  // in days

struct GcOptions {
    std::string store = kDefaultStore;
    std::vector<std::string> results;  // besides those that the store knows
    DagOptions settings;
    std::vector<std::string> dags;
    std::size_t keep_runs = 10;
    GarbagePolicy policy{.older_days = kTenMinutes};
    std::string layout = kStoreLayout;
    ServerGcOptions server;
    bool dry_run = false, json = false;
};

std::set<Digest> planned_artifacts(const GcOptions& options, const std::string& dag_file) {
    DagOptions dag_options = options.settings;
    dag_options.file = dag_file;
    Session session(dag_options, {.store = options.store, .results = {}}, Access::ReadOnly);
    const Dag dag = session.dag();
    StoreCacheView cache = session.cache(dag);
    std::set<Digest> keys;
    for (const auto& planned : session.plan(dag, {}, cache).nodes)
        if (planned.key) keys.insert(*planned.key);
    return keys;
}

// What the links of every results folder lead to. One that is gone is only a warning: its project may have been deleted.
std::set<Digest> linked_anywhere(const GcOptions& options, OpenStore& open) {
    std::vector<fs::path> folders(options.results.begin(), options.results.end());
    for (fs::path& known : known_results_folders(open.folder(), open.files())) {
        if (open.files().stamp(known)) folders.push_back(std::move(known));
        else
            print_warning(fmt::format("the results folder '{}' is gone: artifacts referenced only there may be removed; if it will not come "
                                      "back, delete its line in '{}'",
                                      known.lexically_normal().string(), (open.folder() / store_layout::kResultsFolders).string()));
    }
    const fs::path own = StoreOptions{.store = options.store, .results = {}}.results_folder();
    if (folders.empty() || open.files().stamp(own)) folders.push_back(own);
    std::set<Digest> linked;
    for (const fs::path& folder : folders) linked.merge(linked_artifacts(folder));
    return linked;
}

std::set<Digest> used_artifacts(const GcOptions& options, OpenStore& open) {
    std::set<Digest> used = linked_anywhere(options, open);
    std::vector<std::string> damaged;
    used.merge(recorded_artifacts(open.folder(), options.keep_runs, open.files(), damaged));
    for (const std::string& damage : damaged) print_warning(fmt::format("{}: artifacts referenced only there may be removed", damage));
    for (const std::string& dag : options.dags) used.merge(planned_artifacts(options, dag));
    return used;
}

template <typename Thing>
std::uint64_t bytes_of(const std::vector<Thing>& things) {
    std::uint64_t bytes = 0;
    for (const auto& thing : things) bytes += thing.bytes;
    return bytes;
}

// " and 3 checkpoints (1.2 MB)"
template <typename Thing>
std::string beside(const std::vector<Thing>& things, std::string_view one, std::string_view several) {
    if (things.empty()) return {};
    return fmt::format(" and {} {} ({})", things.size(), things.size() == 1 ? one : several, bytes_text(bytes_of(things)));
}

void print_result(const GcOptions& options, const Garbage& garbage) {
    if (options.json) {
        Json artifacts = Json::array();
        for (const UnusedArtifact& artifact : garbage.artifacts) {
            artifacts.push_back({{"key", artifact.key.hex()},
                                 {"kind", artifact.kind},
                                 {"bytes", artifact.bytes},
                                 {"days", artifact.age_days},
                                 {"seconds", artifact.seconds ? Json(*artifact.seconds) : Json(nullptr)}});
        }
        const Json document = {{"removed", !options.dry_run}, {"artifacts", std::move(artifacts)},
                               {"bytes", bytes_of(garbage.artifacts)},
                               {"ends", garbage.final_checkpoints.size()}, {"ends_bytes", bytes_of(garbage.final_checkpoints)},
                               {"leftovers", garbage.leftovers.size()}, {"leftovers_bytes", bytes_of(garbage.leftovers)},
                               {"kept", garbage.kept}, {"kept_bytes", garbage.kept_bytes}};
        fmt::print("{}\n", dump_json(document));
        return;
    }
    if (!garbage.artifacts.empty()) {
        Table table{.title = {}, .columns = {"artifact", "kind", "size", "days old", "took"}, .rows = {}, .notes = {}};
        for (const UnusedArtifact& artifact : garbage.artifacts) {
            table.rows.push_back({artifact.key.hex().substr(0, 12), artifact.kind, bytes_text(artifact.bytes),
                                  fmt::format("{:.1f}", artifact.age_days),
                                  artifact.seconds ? duration_text(*artifact.seconds) : "?"});
        }
        fmt::print("{}", table_text(table, stdout_columns()));
    }
    fmt::print("{} {} artifacts ({}){}{}, {} remain ({})\n", options.dry_run ? "would remove" : "removed", garbage.artifacts.size(),
               bytes_text(bytes_of(garbage.artifacts)), beside(garbage.final_checkpoints, "final checkpoint", "final checkpoints"),
               beside(garbage.leftovers, "leftover", "leftovers"), garbage.kept, bytes_text(garbage.kept_bytes));
}

ExitCode collect(const GcOptions& options, OpenStore& open) {
    const Garbage garbage = find_garbage(open, used_artifacts(options, open), options.policy, wall_time());
    if (!options.dry_run) remove_garbage(open, garbage);
    print_result(options, garbage);
    return ExitCode::Done;
}

bool has_store_options(const GcOptions& options) {
    const GcOptions none;
    return !options.dags.empty() || !options.results.empty() || options.keep_runs != none.keep_runs || options.policy.to_bytes != 0 ||
           options.policy.older_days != none.policy.older_days;
}

// Needs the store for itself, unless it is a dry run.
ExitCode collect(const GcOptions& options) {
    if (options.layout == kServerLayout) {
        if (has_store_options(options))
            throw Error(ExitCode::Usage, "--dag, --results, --keep-runs, --older and --to are about a store, not about --layout bazel",
                        "--max-size and --grace say what is removed from the folder of a server");
        return collect_server_garbage(options.server, options.dry_run, options.json);
    }
    if (has_server_gc_options(options.server))
        throw Error(ExitCode::Usage, "a folder, --max-size and --grace need --layout bazel",
                    "--store names a store; --to and --older say what is removed from it");
    if (options.dags.empty()) check_settings_have_dag(options.settings);
    check_is_store(options.store);
    OpenStore open(options.store, options.dry_run ? Access::ReadOnly : Access::ReadWrite);
    if (options.dry_run) return collect(options, open);
    const auto use = StoreLock::alone(open.folder());
    if (!use)
        throw Error(ExitCode::Store, fmt::format("the store '{}' is in use by a run", printable(open.folder().string())),
                    "try again when the run has ended; -n works at any time");
    return collect(options, open);
}

}  // namespace

void add_gc_command(Command& cache) {
    cache.add_command<GcOptions>(
        "gc", "remove unreferenced artifacts",
        "Keeps the artifacts that any results folder links to, those of the last runs, and those of each --dag file.\n"
        "Removed artifacts are recomputed when a run needs them. Also removes leftovers: checkpoints of unreferenced artifacts, damaged files.\n"
        "Examples:\n  satdl cache gc -n\n  satdl cache gc --keep-runs 3 --dag dags/full.yaml\n"
        "  satdl cache gc --to 20GB --older 7\n"
        "  satdl cache gc --layout bazel --max-size 200GB --grace 14d /srv/satdl/cache\n"
        "The last one is for the folder of a cache server, or a shared one, that --remote names (docs/remote.md).",
        [](Command& command, GcOptions& options) {
            command.add_option("--dag", options.dags, "keep the current artifacts of this DAG file; may be repeated").type_name("DAG");
            add_dag_options(command, options.settings);
            command.add_option("--keep-runs", options.keep_runs, "keep the artifacts of the last N runs").show_default().type_name("N");
            command.add_option("--older", options.policy.older_days, "remove only artifacts older than this; default: 10 minutes")
                .not_negative()
                .type_name("DAYS");
            command.add_size("--to", options.policy.to_bytes, "stop at this store size, such as 20GB; remove the cheapest to recompute first");
            command.add_option("--layout", options.layout, "bazel: of a cache server's folder; store: of a store, the default")
                .one_of({kStoreLayout, kServerLayout})
                .type_name("LAYOUT");
            add_server_gc_options(command, options.server);
            command.add_flag("-n,--dry-run", options.dry_run, "list what would be removed and exit");
            command.add_flag("--json", options.json, "print the result as JSON (docs/json.md)");
            add_store_option(command, options.store);
            command.add_option("--results", options.results, "another results folder with links to keep; may be repeated")
                .type_name("FOLDER");
        },
        [](const GcOptions& options) { return collect(options); });
}

}  // namespace satdl
