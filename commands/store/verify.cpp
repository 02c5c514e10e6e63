// satdl cache verify: checks every byte in the store that has a digest: artifacts, checkpoints of interrupted stages, final
// checkpoints, the lines of run records. Damaged files go to quarantine and are named; a record stays as it is, since its good
// lines are still of use and its damaged ones are never used.
#include "commands/store/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "commands/shared/warnings.h"
#include "commands/store/repair.h"
#include "pipeline/core/json.h"
#include "pipeline/display/progress_display.h"
#include "pipeline/display/text_format.h"
#include "pipeline/records/run_record.h"
#include "pipeline/store/store_lock.h"

namespace satdl {

namespace {

struct VerifyOptions {
    StoreOptions store;
    RecordedRunOptions repairs;
    bool repair = false, json = false;
};

struct VerifiedRecords {
    std::size_t good = 0;       // records without a damaged line
    std::size_t lines = 0;      // good lines of all records
    std::size_t unchecked = 0;  // good records with lines of an older satdl, which wrote no checks
    std::map<std::string, Record> damaged;  // by name
};

struct Verified {
    VerifiedFiles artifacts, checkpoints, final_checkpoints;
    VerifiedRecords records;
};

// load() checks every byte and moves a damaged artifact to quarantine.
VerifiedFiles verified_artifacts(OpenStore& open) {
    VerifiedFiles found;
    for (const auto& key : open.store().keys()) {
        try {
            const auto header = open.store().header(key);
            if (!header || !open.store().load(key)) continue;  // removed meanwhile by another process
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

Json to_json(const Verified& found, const std::vector<QuarantinedArtifact>& quarantined) {
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
    for (const QuarantinedArtifact& one : quarantined) {
        json["repairs"].push_back({{"key", one.key.hex()},
                                   {"stage", one.stage.empty() ? Json(nullptr) : Json(one.stage)},
                                   {"repaired", one.failure.empty()},
                                   {"words", one.describe()}});
    }
    return json;
}

// Prints one line. `then`: what happens to the damaged ones.
void print_result(const VerifiedFiles& found, std::string_view one, std::string_view several, std::string_view then) {
    for (const std::string& damage : found.damaged) print_on_stderr("satdl: " + damage);
    fmt::print("{} {} good ({}), {} damaged{}\n", found.good, found.good == 1 ? one : several, bytes_text(found.bytes),
               found.damaged.size(), found.damaged.empty() ? "" : then);
}

void print_result(const VerifiedRecords& found) {
    for (const auto& [name, record] : found.damaged) print_on_stderr("satdl: " + damage_text(record, name));
    std::string unchecked;
    if (found.unchecked > 0) unchecked = fmt::format(", {} of them with lines from an older satdl, which have no checks", found.unchecked);
    fmt::print("{} run record{} good{}, {} damaged{} ({} good lines in all)\n", found.good, found.good == 1 ? "" : "s", unchecked,
               found.damaged.size(), found.damaged.empty() ? "" : "; damaged lines are ignored and cannot be recovered",
               found.lines);
}

void print_result(const Verified& found, bool repairing) {
    print_result(found.artifacts, "artifact", "artifacts", repairing ? "" : ": moved to quarantine; --repair or the next run recomputes them");
    print_result(found.checkpoints, "checkpoint", "checkpoints",
         ": moved to quarantine; no repair needed: a stage resumes from an earlier checkpoint, or starts over");
    print_result(found.final_checkpoints, "final checkpoint", "final checkpoints",
         ": moved to quarantine; no repair needed: a longer training continues from an earlier one, or starts over");
    print_result(found.records);
}

void print_result(const std::vector<QuarantinedArtifact>& quarantined) {
    if (quarantined.empty()) return;
    Table table{.title = {}, .columns = {"artifact", "stage", "repaired", "reason"}, .rows = {}, .notes = {}};
    for (const QuarantinedArtifact& one : quarantined) {
        table.rows.push_back(
            {one.key.hex().substr(0, 12), one.stage.empty() ? "?" : one.stage, one.failure.empty() ? "yes" : "no", one.describe()});
    }
    fmt::print("\n{}", table_text(table, stdout_columns()));
}

// Whether there is damage that was not repaired.
bool is_damaged(const Verified& found, const std::vector<QuarantinedArtifact>& quarantined, bool repaired) {
    if (!found.records.damaged.empty()) return true;
    if (repaired) return std::ranges::any_of(quarantined, [](const QuarantinedArtifact& one) { return !one.failure.empty(); });
    return !found.artifacts.damaged.empty() || !found.checkpoints.damaged.empty() || !found.final_checkpoints.damaged.empty();
}

ExitCode verify(VerifyOptions options) {
    options.repairs.quiet = options.json;
    options.repairs.keep_going = true;
    check_is_store(options.store.store);
    OpenStore open(options.store.store, options.repair ? Access::ReadWrite : Access::ReadOnly);
    const auto use = options.repair ? std::optional(StoreLock::shared(open.folder())) : std::nullopt;
    const Verified found{verified_artifacts(open), open.checkpoints().verify(), open.final_checkpoints().verify(), verified_records(open)};
    if (!options.json) print_result(found, options.repair);
    std::vector<QuarantinedArtifact> quarantined;
    if (options.repair) quarantined = quarantined_artifacts(open);
    std::optional<ExitCode> stopped;
    if (!quarantined.empty()) stopped = repair(quarantined, open, options.repairs);
    if (options.json) fmt::print("{}\n", dump_json(to_json(found, quarantined)));
    else print_result(quarantined);
    if (stopped) return *stopped;
    return is_damaged(found, quarantined, options.repair) ? ExitCode::Store : ExitCode::Done;
}

}  // namespace

void add_verify_command(Command& cache) {
    cache.add_command<VerifyOptions>(
        "verify", "check every byte against its digest; move damaged files to quarantine",
        "Checks artifacts, checkpoints, final checkpoints and the lines of run records. With --repair, recomputes the artifacts in "
        "quarantine from the DAG in the record of their run, and compares them with the recorded digests. A damaged checkpoint "
        "needs no repair: an earlier one is used, or the stage starts over. A record cannot be repaired; its damaged lines are "
        "ignored, and deleting its folder in .satdl/runs/ forgets the run.\n"
        "Exit code 3: something is damaged, or could not be repaired.\n"
        "Examples:\n  satdl cache verify\n  satdl cache verify --repair",
        [](Command& command, VerifyOptions& options) {
            command.add_flag("--repair", options.repair,
                             "recompute the artifacts in quarantine and compare their digests with the recorded ones");
            add_stages_option(command, options.repairs.stages);
            command.add_flag("--trust", options.repairs.trust, "trust a store that belongs to another user (docs/trust.md)")
                .envname("SATDL_TRUST");
            command.add_flag("--json", options.json, "print the result as JSON (docs/json.md)");
            add_store_options(command, options.store);
        },
        verify);
}

}  // namespace satdl
