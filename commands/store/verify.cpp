// satdl cache verify: all that the store keeps under digests, every byte of it: artifacts, checkpoints of interrupted stages, ends of
// trainings, the lines of run records. What is damaged goes into quarantine, and is named; a record stays as it is, since its good
// lines are worth something and no line of it is used unless it is good.
#include "commands/store/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "commands/store/repair.h"
#include "pipeline/core/json.h"
#include "pipeline/display/text_format.h"
#include "pipeline/records/run_record.h"
#include "pipeline/store/store_lock.h"

namespace satdl {

namespace {

struct VerifyOptions {
    StoreOptions store;
    RepairOptions repairs;
    bool repair = false, json = false;
};

struct VerifiedRecords {
    std::size_t good = 0;       // records without a damaged line
    std::size_t lines = 0;      // good ones, of all records
    std::size_t unchecked = 0;  // of the good records, those with lines of a satdl that wrote no checks
    std::map<std::string, Record> damaged;  // by name
};

struct Verified {
    VerifiedFiles artifacts, checkpoints, final_checkpoints;
    VerifiedRecords records;
};

// load() checks every byte and puts what is damaged into quarantine.
VerifiedFiles verified_artifacts(OpenStore& open) {
    VerifiedFiles found;
    for (const auto& key : open.store().keys()) {
        try {
            const auto header = open.store().header(key);
            if (!header || !open.store().load(key)) continue;  // somebody removed it meanwhile
            found.bytes += header->file_bytes;
            ++found.good;
        } catch (const DamagedArtifact& error) {
            found.damaged.emplace_back(error.what());
        }
    }
    return found;
}

VerifiedRecords verified_records(OpenStore& open) {
    VerifiedRecords found;
    std::vector<std::string> names = recorded_runs(open.folder(), open.files());
    names.emplace_back(kReusedRuns);
    for (const std::string& name : names) {
        Record record = read_record(open.folder(), name, open.files());
        found.lines += record.lines.size();
        if (!record.damaged.empty()) {
            found.damaged.emplace(name, std::move(record));
        } else if (!record.lines.empty()) {
            ++found.good;
            if (record.unchecked > 0) ++found.unchecked;
        }
    }
    return found;
}

Json to_json(const VerifiedFiles& found) { return {{"good", found.good}, {"bytes", found.bytes}, {"damaged", found.damaged}}; }

Json to_json(const Verified& found, const std::vector<Lost>& lost) {
    Json json = to_json(found.artifacts);
    json["checkpoints"] = to_json(found.checkpoints);
    json["ends"] = to_json(found.final_checkpoints);
    Json damaged = Json::array();
    for (const auto& [name, record] : found.records.damaged) damaged.push_back({{"record", name}, {"lines", record.damaged}});
    json["records"] = {{"good", found.records.good},
                       {"lines", found.records.lines},
                       {"unchecked", found.records.unchecked},
                       {"damaged", damaged}};
    json["repairs"] = Json::array();
    for (const Lost& one : lost) {
        json["repairs"].push_back({{"key", one.key.hex()},
                                   {"stage", one.stage.empty() ? Json(nullptr) : Json(one.stage)},
                                   {"repaired", one.trouble.empty()},
                                   {"words", one.words()}});
    }
    return json;
}

// One line; `then`: what becomes of the damaged ones.
void tell(const VerifiedFiles& found, std::string_view one, std::string_view several, std::string_view then) {
    for (const std::string& damage : found.damaged) fmt::print(stderr, "satdl: {}\n", damage);
    fmt::print("{} {} good ({}), {} damaged{}\n", found.good, found.good == 1 ? one : several, bytes_text(found.bytes),
               found.damaged.size(), found.damaged.empty() ? "" : then);
}

void tell(const VerifiedRecords& found) {
    for (const auto& [name, record] : found.damaged) fmt::print(stderr, "satdl: {}\n", damage_text(record, name));
    std::string unchecked;
    if (found.unchecked > 0) unchecked = fmt::format(", {} of them with lines of an older satdl, without checks", found.unchecked);
    fmt::print("{} run record{} good{}, {} damaged{} ({} good lines in all)\n", found.good, found.good == 1 ? "" : "s", unchecked,
               found.damaged.size(), found.damaged.empty() ? "" : "; their damaged lines are not used, and cannot be made again",
               found.lines);
}

void tell(const Verified& found, bool repairing) {
    tell(found.artifacts, "artifact", "artifacts", repairing ? "" : ": in quarantine; --repair, or the next run, makes them again");
    tell(found.checkpoints, "checkpoint", "checkpoints",
         ": in quarantine, no repair needed: a stage goes on from the checkpoint before, or begins anew");
    tell(found.final_checkpoints, "end of a training", "ends of trainings",
         ": in quarantine, no repair needed: a longer training begins at the end before, or at the start");
    tell(found.records);
}

void tell(const std::vector<Lost>& lost) {
    if (lost.empty()) return;
    Table table{.title = {}, .columns = {"artifact", "stage", "repaired", "because"}, .rows = {}, .notes = {}};
    for (const Lost& one : lost) {
        table.rows.push_back(
            {one.key.hex().substr(0, 12), one.stage.empty() ? "?" : one.stage, one.trouble.empty() ? "yes" : "no", one.words()});
    }
    fmt::print("\n{}", table_text(table));
}

// Damage that is not made good, or need not be.
bool is_damaged(const Verified& found, const std::vector<Lost>& lost, bool repaired) {
    if (!found.records.damaged.empty()) return true;
    if (repaired) return std::ranges::any_of(lost, [](const Lost& one) { return !one.trouble.empty(); });
    return !found.artifacts.damaged.empty() || !found.checkpoints.damaged.empty() || !found.final_checkpoints.damaged.empty();
}

ExitCode verify(VerifyOptions options) {
    options.repairs.quiet = options.json;
    OpenStore open(options.store.store, options.repair ? Access::ReadWrite : Access::ReadOnly);
    const auto use = options.repair ? std::optional(StoreLock::shared(open.folder())) : std::nullopt;
    const Verified found{verified_artifacts(open), open.checkpoints().verify(), open.final_checkpoints().verify(), verified_records(open)};
    if (!options.json) tell(found, options.repair);
    std::vector<Lost> lost;
    if (options.repair) lost = lost_artifacts(open);
    std::optional<ExitCode> stopped;
    if (!lost.empty()) stopped = repair(lost, open, options.repairs);
    if (options.json) fmt::print("{}\n", dump_json(to_json(found, lost)));
    else tell(lost);
    if (stopped) return *stopped;
    return is_damaged(found, lost, options.repair) ? ExitCode::Store : ExitCode::Done;
}

}  // namespace

void add_verify_command(Command& cache) {
    cache.add_command<VerifyOptions>(
        "verify", "compare every byte with its digest; what is damaged is put aside",
        "Looks at artifacts, checkpoints, ends of trainings, and the lines of run records. With --repair, artifacts in quarantine are\n"
        "made again, from the DAG that the record of their run tells, and compared with what they were. A damaged checkpoint or end\n"
        "needs no repair: the one before it counts, or the stage begins anew. A record cannot be repaired; its damaged lines are not\n"
        "used, and deleting its folder in .satdl/runs/ forgets the run.\n"
        "Exit code 3: something is damaged, or could not be repaired.\n"
        "Examples:\n  satdl cache verify\n  satdl cache verify --repair",
        [](Command& command, VerifyOptions& options) {
            command.add_flag("--repair", options.repair,
                             "make again the artifacts in quarantine, and compare their digests with those recorded");
            add_stages_option(command, options.repairs.stages);
            command.add_flag("--trust", options.repairs.trust, "repair though the store belongs to somebody else (docs/trust.md)")
                .envname("SATDL_TRUST");
            command.add_flag("--json", options.json, "one JSON document on stdout (docs/json.md)");
            add_store_options(command, options.store);
        },
        verify);
}

}  // namespace satdl
