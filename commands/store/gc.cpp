// satdl cache gc: removes the artifacts that are not in use. In use are those that results/ links to, those of the last runs, and those of
// the DAG files that are named. pipeline/store/garbage.h has what goes of the rest.
#include "commands/store/gc.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "commands/shared/session.h"
#include "commands/shared/warnings.h"
#include "pipeline/core/json.h"
#include "pipeline/display/run_summary.h"
#include "pipeline/display/text_format.h"
#include "pipeline/records/json_events.h"
#include "pipeline/records/run_record.h"
#include "pipeline/store/garbage.h"
#include "pipeline/store/store_lock.h"

namespace satdl {

namespace {

struct GcOptions {
    StoreOptions store;
    DagOptions settings;
    std::vector<std::string> dags;
    std::size_t keep_runs = 10;
    GarbagePolicy policy;
    bool dry_run = false, json = false;
};

std::set<Digest> planned_artifacts(const GcOptions& options, const std::string& dag_file) {
    DagOptions dag_options = options.settings;
    dag_options.file = dag_file;
    Session session(dag_options, options.store, Access::ReadOnly);
    const Dag dag = session.dag();
    StoreCacheView cache = session.cache(dag);
    std::set<Digest> keys;
    for (const auto& planned : session.plan(dag, {}, cache).nodes)
        if (planned.key) keys.insert(*planned.key);
    return keys;
}

std::set<Digest> used_artifacts(const GcOptions& options, OpenStore& open) {
    std::set<Digest> used = linked_artifacts(options.store.results);
    std::vector<std::string> damaged;
    used.merge(recorded_artifacts(open.folder(), options.keep_runs, open.files(), damaged));
    for (const std::string& damage : damaged) print_warning(fmt::format("{}: an artifact of which nothing else tells may go", damage));
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

void tell(const GcOptions& options, const Garbage& going) {
    if (options.json) {
        Json artifacts = Json::array();
        for (const UnusedArtifact& artifact : going.artifacts) {
            artifacts.push_back({{"key", artifact.key.hex()},
                                 {"kind", artifact.kind},
                                 {"bytes", artifact.bytes},
                                 {"days", artifact.age_days},
                                 {"seconds", artifact.seconds ? Json(*artifact.seconds) : Json(nullptr)}});
        }
        const Json document = {{"removed", !options.dry_run}, {"artifacts", std::move(artifacts)},
                               {"bytes", bytes_of(going.artifacts)},
                               {"ends", going.final_checkpoints.size()}, {"ends_bytes", bytes_of(going.final_checkpoints)},
                               {"leftovers", going.leftovers.size()}, {"leftovers_bytes", bytes_of(going.leftovers)},
                               {"kept", going.kept}, {"kept_bytes", going.kept_bytes}};
        fmt::print("{}\n", dump_json(document));
        return;
    }
    if (!going.artifacts.empty()) {
        Table table{.title = {}, .columns = {"artifact", "kind", "size", "days old", "took"}, .rows = {}, .notes = {}};
        for (const UnusedArtifact& artifact : going.artifacts) {
            table.rows.push_back({artifact.key.hex().substr(0, 12), artifact.kind, bytes_text(artifact.bytes),
                                  fmt::format("{:.1f}", artifact.age_days),
                                  artifact.seconds ? duration_text(*artifact.seconds) : "?"});
        }
        fmt::print("{}", table_text(table));
    }
    fmt::print("{} {} artifacts ({}){}{}, {} kept ({})\n", options.dry_run ? "would remove" : "removed", going.artifacts.size(),
               bytes_text(bytes_of(going.artifacts)), beside(going.final_checkpoints, "end of a training", "ends of trainings"),
               beside(going.leftovers, "leftover", "leftovers"), going.kept, bytes_text(going.kept_bytes));
}

ExitCode collect(const GcOptions& options, OpenStore& open) {
    const Garbage garbage = find_garbage(open, used_artifacts(options, open), options.policy, wall_time());
    if (!options.dry_run) remove_garbage(open, garbage);
    tell(options, garbage);
    return ExitCode::Done;
}

// Alone in the store, where it is more than a look.
ExitCode collect(const GcOptions& options) {
    if (options.dags.empty()) refuse_settings_alone(options.settings);
    OpenStore open(options.store.store, options.dry_run ? Access::ReadOnly : Access::ReadWrite);
    const std::string folder = printable(open.folder().string());
    if (!open.files().stamp(open.folder()))
        throw Error(ExitCode::Usage, fmt::format("there is no store '{}'", folder), "--store names another");
    if (options.dry_run) return collect(options, open);
    const auto use = StoreLock::alone(open.folder());
    if (!use)
        throw Error(ExitCode::Store, fmt::format("a run uses the store '{}'", folder),
                    "collect when it has ended; -n may look at any time");
    return collect(options, open);
}

}  // namespace

void add_gc_command(Command& cache) {
    cache.add_command<GcOptions>(
        "gc", "remove artifacts that nothing refers to any more",
        "Kept are what results/ links to, the artifacts of the last runs, and those of each --dag.\n"
        "What is removed is made again when a run needs it. Leftovers (checkpoints of what nobody refers to, damaged files) go, too.\n"
        "Examples:\n  satdl cache gc -n\n  satdl cache gc --keep-runs 3 --dag dags/full.yaml\n"
        "  satdl cache gc --to 20GB --older 7",
        [](Command& command, GcOptions& options) {
            command.add_option("--dag", options.dags, "keep what this DAG file stands for now; may be repeated").type_name("DAG");
            add_dag_options(command, options.settings);
            command.add_option("--keep-runs", options.keep_runs, "keep what the last N runs made or reused").show_default().type_name("N");
            command.add_option("--older", options.policy.older_days, "only what is older").not_negative().type_name("DAYS");
            command.add_size("--to", options.policy.to_bytes, "only until the store has this size, as 20GB: the cheapest to make again first");
            command.add_flag("-n,--dry-run", options.dry_run, "say what would be removed and do nothing");
            command.add_flag("--json", options.json, "one JSON document on stdout (docs/json.md)");
            add_store_options(command, options.store);
        },
        [](const GcOptions& options) { return collect(options); });
}

}  // namespace satdl
