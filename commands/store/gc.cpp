// What is kept: the artifacts that results/ links to, those of the last runs' records, and those of the DAG files that are
// named. An artifact is a function of its key: what is removed comes back with the next run that needs it, for its seconds.
#include "commands/store/gc.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "commands/shared/session.h"
#include "commands/shared/warnings.h"
#include "pipeline/display/run_summary.h"
#include "pipeline/display/text_format.h"
#include "pipeline/records/json_events.h"
#include "pipeline/records/run_record.h"
#include "pipeline/store/layout.h"
#include "pipeline/store/store_lock.h"

namespace fs = std::filesystem;

namespace satdl {

namespace {

struct GcOptions {
    StoreOptions store;
    DagOptions settings;
    std::vector<std::string> dags;
    std::size_t keep_runs = 10;
    double older_days = 0;
    std::uint64_t to_bytes = 0;
    bool dry_run = false, json = false;
};

struct Artifact {
    Digest key;
    std::string kind;
    std::uint64_t bytes = 0;
    double age_days = 0;
    std::optional<double> seconds;  // that making it again would take, as far as the history tells
};

// The target's name is the key. Without the folder, or where it cannot be read, nobody knows what is current: then nothing may go.
void add_linked(const fs::path& results, std::set<Digest>& kept) {
    try {
        for (const auto& entry : fs::recursive_directory_iterator(results)) {
            if (!entry.is_symlink()) continue;
            if (const auto key = Digest::from_hex(fs::read_symlink(entry.path()).stem().string())) kept.insert(*key);
        }
    } catch (const fs::filesystem_error& error) {
        throw Error(ExitCode::Usage,
                    fmt::format("cannot read '{}', whose links say what is current: {}", printable(results.string()), error.code().message()),
                    "--results names another folder");
    }
}

void add_recorded(OpenStore& open, std::size_t runs, std::set<Digest>& kept) {
    constexpr std::string_view kBefore = "\"key\":\"";
    std::vector<std::string> ids = recorded_runs(open.folder(), open.files());
    if (ids.size() > runs) ids.resize(runs);
    for (const auto& id : ids) {
        const std::string text = record_text(open.folder(), id, open.files());
        const std::string damage = damage_text(checked_record(text, id), id);
        if (!damage.empty()) print_warning(fmt::format("{}: an artifact of which nothing else tells may go", damage));
        // In damaged lines, too: it can only keep more.
        for (auto at = text.find(kBefore); at != std::string::npos; at = text.find(kBefore, at + 1)) {
            if (const auto key = Digest::from_hex(std::string_view(text).substr(at + kBefore.size(), 64))) kept.insert(*key);
        }
    }
}

void add_planned(const GcOptions& options, const std::string& dag_file, std::set<Digest>& kept) {
    DagOptions dag_options = options.settings;
    dag_options.file = dag_file;
    Session session(dag_options, options.store, Access::ReadOnly);
    const Dag dag = session.dag();
    StoreCacheView cache = session.cache(dag);
    for (const auto& planned : session.plan(dag, {}, cache).nodes)
        if (planned.key) kept.insert(*planned.key);
}

std::string kind_of(const Recipe& recipe) {
    const auto kind = std::ranges::find(recipe, "kind", &KeyPart::name);
    return kind == recipe.end() ? "" : kind->value;
}

struct Contents {
    std::vector<Artifact> unused;
    std::size_t count = 0;    // of all artifacts, used and unused
    std::uint64_t bytes = 0;  // theirs
};

Contents contents_of(OpenStore& open, const std::set<Digest>& used) {
    Contents contents;
    const double now = wall_time();
    for (const Digest& key : open.store().keys()) {
        const auto identity = open.files().stamp(open.store().path_of(key));
        if (!identity) continue;
        ++contents.count;
        contents.bytes += identity->bytes;
        if (used.contains(key)) continue;
        Artifact artifact;
        artifact.key = key;
        artifact.bytes = identity->bytes;
        artifact.age_days = (now - static_cast<double>(identity->modified_nanoseconds) / 1e9) / 86400;
        try {
            if (const auto header = open.store().header(key)) artifact.kind = kind_of(header->recipe);
        } catch (const DamagedArtifact&) {
            --contents.count;  // it is in quarantine now
            contents.bytes -= identity->bytes;
            continue;
        }
        artifact.seconds = open.index().seconds(key, artifact.kind);
        contents.unused.push_back(std::move(artifact));
    }
    return contents;
}

// The cheapest to make again first, by seconds a byte; then those that nobody knows of.
void order_by_worth(std::vector<Artifact>& artifacts) {
    const auto worth = [](const Artifact& artifact) {
        const auto bytes = static_cast<double>(std::max<std::uint64_t>(artifact.bytes, 1));
        return std::make_tuple(!artifact.seconds, artifact.seconds.value_or(0) / bytes, artifact.key);
    };
    std::ranges::sort(artifacts, {}, worth);
}

// What goes: old enough, and (with a size to come down to) no more than that takes.
std::vector<Artifact> chosen(std::vector<Artifact> artifacts, const GcOptions& options, std::uint64_t all) {
    std::erase_if(artifacts, [&](const Artifact& artifact) { return artifact.age_days < options.older_days; });
    if (options.to_bytes == 0) return artifacts;
    std::vector<Artifact> going;
    for (const Artifact& artifact : artifacts) {
        if (all <= options.to_bytes) break;
        all -= artifact.bytes;
        going.push_back(artifact);
    }
    return going;
}

// An end of a training goes with the artifact that was made with it; one whose artifact went before goes, too.
std::vector<CheckpointFiles::Entry> ends_going(OpenStore& open, const std::vector<Artifact>& going) {
    std::set<Digest> staying;
    for (const Digest& key : open.store().keys()) staying.insert(key);
    for (const Artifact& artifact : going) staying.erase(artifact.key);
    auto entries = open.final_checkpoints().entries();
    std::erase_if(entries, [&](const CheckpointFiles::Entry& end) { return staying.contains(end.of); });
    return entries;
}

// A file that no run will read again.
struct Leftover {
    fs::path path;
    std::uint64_t bytes = 0;
};

// Checkpoints of what nobody refers to; what is in quarantine, unless it is to be made again; damaged indexes.
std::vector<Leftover> leftovers_of(OpenStore& open, const GcOptions& options, const std::set<Digest>& used) {
    std::vector<Leftover> found;
    const double now = wall_time();
    const auto look_into = [&](const fs::path& folder, const auto& stays) {
        for (const std::string& name : open.files().list(folder)) {
            const auto identity = open.files().stamp(folder / name);
            if (!identity || stays(name)) continue;
            if (now - static_cast<double>(identity->modified_nanoseconds) / 1e9 < options.older_days * 86400) continue;
            found.push_back({folder / name, identity->bytes});
        }
    };
    const auto key_in = [](const std::string& name) { return Digest::from_hex(std::string_view(name).substr(0, name.find('.'))); };
    look_into(open.folder() / store_layout::kCheckpoints, [&](const std::string& name) {
        const auto key = key_in(name);
        return !key || used.contains(*key);
    });
    look_into(open.folder() / store_layout::kQuarantine, [&](const std::string& name) {
        const auto key = key_in(name);
        return key && used.contains(*key) && !open.files().stamp(open.store().path_of(*key));
    });
    const std::string damaged_index = fmt::format("{}{}", store_layout::kIndex, store_layout::kDamagedExtension);
    look_into(open.folder(), [&](const std::string& name) { return !name.starts_with(damaged_index); });
    return found;
}

struct Going {
    std::vector<Artifact> artifacts;
    std::vector<CheckpointFiles::Entry> final_checkpoints;
    std::vector<Leftover> leftovers;
};

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

void tell(const GcOptions& options, const Going& going, std::size_t kept, std::uint64_t kept_bytes) {
    if (options.json) {
        Json artifacts = Json::array();
        for (const Artifact& artifact : going.artifacts) {
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
                               {"kept", kept}, {"kept_bytes", kept_bytes}};
        fmt::print("{}\n", dump_json(document));
        return;
    }
    if (!going.artifacts.empty()) {
        Table table{.title = {}, .columns = {"artifact", "kind", "size", "days old", "took"}, .rows = {}, .notes = {}};
        for (const Artifact& artifact : going.artifacts) {
            table.rows.push_back({artifact.key.hex().substr(0, 12), artifact.kind, bytes_text(artifact.bytes),
                                  fmt::format("{:.1f}", artifact.age_days),
                                  artifact.seconds ? duration_text(*artifact.seconds) : "?"});
        }
        fmt::print("{}", table_text(table));
    }
    fmt::print("{} {} artifacts ({}){}{}, {} kept ({})\n", options.dry_run ? "would remove" : "removed", going.artifacts.size(),
               bytes_text(bytes_of(going.artifacts)), beside(going.final_checkpoints, "end of a training", "ends of trainings"),
               beside(going.leftovers, "leftover", "leftovers"), kept, bytes_text(kept_bytes));
}

ExitCode collect(const GcOptions& options, OpenStore& open) {
    std::set<Digest> kept;
    add_linked(options.store.results, kept);
    add_recorded(open, options.keep_runs, kept);
    for (const auto& dag : options.dags) add_planned(options, dag, kept);

    Contents contents = contents_of(open, kept);
    order_by_worth(contents.unused);
    Going going;
    going.artifacts = chosen(std::move(contents.unused), options, contents.bytes);
    going.final_checkpoints = ends_going(open, going.artifacts);
    going.leftovers = leftovers_of(open, options, kept);
    if (!options.dry_run) {
        for (const Artifact& artifact : going.artifacts) open.store().erase(artifact.key);
        for (const auto& end : going.final_checkpoints) open.final_checkpoints().erase(end);
        for (const Leftover& one : going.leftovers) open.files().remove(one.path);
    }
    tell(options, going, contents.count - going.artifacts.size(), contents.bytes - bytes_of(going.artifacts));
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

void add_gc_command(CLI::App& cache, Work& work) {
    auto* command = cache.add_subcommand("gc", "remove artifacts that nothing refers to any more");
    command->footer(
        "Kept are what results/ links to, the artifacts of the last runs, and those of each --dag.\n"
        "What is removed is made again when a run needs it. Leftovers (checkpoints of what nobody refers to, damaged files) go, too.\n"
        "Examples:\n  satdl cache gc -n\n  satdl cache gc --keep-runs 3 --dag dags/full.yaml\n"
        "  satdl cache gc --to 20GB --older 7");
    const auto options = std::make_shared<GcOptions>();
    command->add_option("--dag", options->dags, "keep what this DAG file stands for now; may be repeated")
        ->allow_extra_args(false)
        ->type_name("DAG");
    add_dag_options(*command, options->settings);
    command->add_option("--keep-runs", options->keep_runs, "keep what the last N runs made or reused")
        ->capture_default_str()
        ->type_name("N");
    command->add_option("--older", options->older_days, "only what is older")
        ->check(CLI::NonNegativeNumber)
        ->type_name("DAYS");
    command->add_option("--to", options->to_bytes, "only until the store has this size, as 20GB: the cheapest to make again first")
        ->transform(CLI::AsSizeValue(false));
    command->add_flag("-n,--dry-run", options->dry_run, "say what would be removed and do nothing");
    command->add_flag("--json", options->json, "one JSON document on stdout (docs/json.md)");
    add_store_options(*command, options->store);
    command->callback([options, &work] { work = [options] { return collect(*options); }; });
}

}  // namespace satdl
