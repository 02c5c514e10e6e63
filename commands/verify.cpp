// satdl cache verify: every byte of every artifact against its digest. What is damaged goes into quarantine; with --repair it is
// made again, from the DAG that the record of its run tells, and must then have the digests that it had.
#include "commands/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "commands/display.h"
#include "commands/recorded_dag.h"
#include "commands/session.h"
#include "commands/signals.h"
#include "commands/stage_executor.h"
#include "pipeline/devices.h"
#include "pipeline/ownership.h"
#include "pipeline/schedule.h"
#include "pipeline/store_use.h"
#include "pipeline/text.h"

namespace fs = std::filesystem;

namespace satdl {

namespace {

struct VerifyOptions {
    StoreOptions store;
    std::vector<std::string> stages;
    bool repair = false, trust = false, json = false;
};

struct Verified {
    std::size_t good = 0;
    std::uint64_t bytes = 0;
    std::vector<std::string> damaged;  // in words, with the tensor
};

// load() checks every byte and puts what is damaged into quarantine.
Verified verified(OpenStore& open) {
    Verified found;
    for (const auto& key : open.store().keys()) {
        try {
            const auto header = open.store().header(key);
            if (!header || !open.store().load(key)) continue;  // somebody removed it meanwhile
            found.bytes += header->file_bytes;
            ++found.good;
        } catch (const DamagedObject& error) {
            found.damaged.emplace_back(without_mark(error.what()));
        }
    }
    return found;
}

// An artifact that was put into quarantine and has not been made again since.
struct Lost {
    Digest key;
    std::optional<ObjectHeader> header;  // as far as it can still be read
    std::string stage;                   // as the newest record names it; "" where none does
    std::string trouble;                 // why it was not repaired; "" where it was
};

std::vector<Lost> lost_artifacts(OpenStore& open) {
    std::map<Digest, std::optional<ObjectHeader>> found;
    const fs::path folder = open.folder() / "quarantine";
    for (const std::string& name : open.files().list(folder)) {
        const auto key = Digest::from_hex(std::string_view(name).substr(0, name.find('.')));
        if (!key || open.files().identity(open.store().path_of(*key))) continue;
        auto& header = found[*key];
        try {
            ObjectHeader read = read_header(open.files(), folder / name);
            if (read.key == *key) header = std::move(read);
        } catch (const DamagedObject&) {
        }
    }
    std::vector<Lost> lost;
    for (auto& [key, header] : found) lost.push_back({key, std::move(header), {}, {}});
    return lost;
}

std::string comparison(const Lost& lost) {
    return lost.header ? "the digests that were recorded" : "its header is lost, so that there is nothing to compare with";
}

// What came of one that was to be made again.
std::string trouble_of(const Lost& lost, const NodeResult& result) {
    if (result.state == NodeState::Failed) return std::string(without_mark(result.error));
    if (!result.not_kept.empty()) return "made again, but not kept: " + std::string(without_mark(result.not_kept));
    if (result.key && *result.key != lost.key)
        return "it would have another key here: " + (lost.header ? first_difference(lost.header->recipe, result.recipe) : "what it was made of is lost");
    if (result.state != NodeState::Ran && result.state != NodeState::Reused) return result.because;
    if (lost.header && result.outputs != lost.header->port_digests)
        return "made again with other digests than were recorded: its stage is not deterministic";
    return {};
}

class Repair {
public:
    Repair(const VerifyOptions& options, OpenStore& open)
        : options_(options), open_(open), catalog_(load_catalog(program_folder(), options.stages)), machine_(this_machine()) {}

    // The exit code of a signal, if one came. Throws Error{Usage} where the records, which say what is to run, are somebody else's.
    std::optional<ExitCode> run(std::vector<Lost>& lost) {
        if (!options_.trust) refuse_files_of_others(std::array{open_.folder() / "runs"}, trusted_owners(), owner_of);
        std::map<std::string, std::vector<Lost*>> by_run;
        std::set<Digest> keys;
        for (const Lost& one : lost) keys.insert(one.key);
        const auto recorded = find_recorded_stages(open_.folder(), std::move(keys), open_.files());
        for (Lost& one : lost) {
            one.trouble = "no record of a run tells how it was made; a run of its DAG makes it again";
            const auto found = recorded.find(one.key);
            if (found == recorded.end()) continue;
            one.stage = found->second.stage;
            by_run[found->second.run].push_back(&one);
        }
        for (const auto& [id, of_run] : by_run) {
            try {
                repair(id, of_run);
            } catch (const Error& error) {
                for (Lost* one : of_run) one->trouble = without_mark(error.what());
            }
            if (const auto code = signals_.exit_code()) return code;
        }
        return std::nullopt;
    }

private:
    void repair(const std::string& id, const std::vector<Lost*>& lost) {
        const Dag dag = recorded_dag(open_.folder(), id, catalog_, open_.files());
        Request request;
        for (const Lost* one : lost) request.targets.push_back(one->stage);
        StageLibraries libraries;
        machine_.gpus = find_gpus(dag, request, libraries);
        StoreKnowledge knowledge(dag.name, open_.store(), open_.index(), open_.files(), open_.checkpoints(), nullptr);
        const Plan plan = make_plan(dag, request, machine_, knowledge);
        const auto clock = steady_clock();
        const auto display = display_on_stdout(options_.json ? Shown::Nothing : Shown::Progress, {id, SATDL_VERSION, machine_.cores}, *clock);
        StageExecutor executor;
        const Carrying carrying{dag,      plan,   machine_,        open_.store(),        knowledge, executor,
                                *display, *clock, signals_.stop(), &open_.checkpoints()};
        Limits limits = with_memory({}, machine_);
        limits.keep_going = true;
        const RunResult result = run_on_flow_graph(carrying, limits);
        for (Lost* one : lost) {
            for (const NodeResult& node : result.nodes)
                if (dag.nodes[node.node].name == one->stage) one->trouble = trouble_of(*one, node);
        }
    }

    const VerifyOptions& options_;
    OpenStore& open_;
    const Catalog catalog_;
    Machine machine_;
    const StopSignals signals_;
};

Json to_json(const Verified& found, const std::vector<Lost>& lost) {
    Json json = {{"good", found.good}, {"bytes", found.bytes}, {"damaged", found.damaged}, {"repairs", Json::array()}};
    for (const Lost& one : lost) {
        json["repairs"].push_back({{"key", one.key.hex()},
                                   {"stage", one.stage.empty() ? Json(nullptr) : Json(one.stage)},
                                   {"repaired", one.trouble.empty()},
                                   {"words", one.trouble.empty() ? comparison(one) : one.trouble}});
    }
    return json;
}

void tell_repairs(const std::vector<Lost>& lost) {
    if (lost.empty()) return;
    Table table{.title = {}, .columns = {"artifact", "stage", "repaired", "because"}, .rows = {}, .notes = {}};
    for (const Lost& one : lost) {
        table.rows.push_back({one.key.hex().substr(0, 12), one.stage.empty() ? "?" : one.stage, one.trouble.empty() ? "yes" : "no",
                              one.trouble.empty() ? comparison(one) : one.trouble});
    }
    fmt::print("\n{}", table_text(table));
}

ExitCode verify(const VerifyOptions& options) {
    OpenStore open(options.store, options.repair ? Access::Write : Access::Look);
    const auto use = options.repair ? std::optional(StoreUse::shared(open.folder())) : std::nullopt;
    const Verified found = verified(open);
    std::vector<Lost> lost;
    if (options.repair) lost = lost_artifacts(open);
    std::optional<ExitCode> stopped;
    if (!options.json) {
        for (const std::string& one : found.damaged) fmt::print(stderr, "satdl: {}\n", one);
        fmt::print("{} artifacts good ({}), {} damaged{}\n", found.good, bytes_text(found.bytes), found.damaged.size(),
                   found.damaged.empty() || options.repair ? "" : ": they are in quarantine; --repair, or the next run, makes them again");
    }
    if (!lost.empty()) stopped = Repair(options, open).run(lost);
    if (options.json) fmt::print("{}\n", dumped(to_json(found, lost)));
    else tell_repairs(lost);
    if (stopped) return *stopped;
    const bool whole = options.repair ? std::ranges::all_of(lost, [](const Lost& one) { return one.trouble.empty(); }) : found.damaged.empty();
    return whole ? ExitCode::Done : ExitCode::Store;
}

}  // namespace

void add_verify_command(CLI::App& cache, Work& work) {
    auto* command = cache.add_subcommand("verify", "compare every byte with its digest; what is damaged is put aside");
    command->footer(
        "With --repair, what is in quarantine is made again, from the DAG that the record of its run tells, and compared with what\n"
        "it was. Exit code 3: something is damaged, or could not be repaired.\n"
        "Examples:\n  satdl cache verify\n  satdl cache verify --repair");
    const auto options = std::make_shared<VerifyOptions>();
    command->add_flag("--repair", options->repair, "make again what is in quarantine, and compare its digests with those recorded");
    add_stages_option(*command, options->stages);
    command->add_flag("--trust", options->trust, "repair though the store belongs to somebody else (docs/trust.md)")->envname("SATDL_TRUST");
    command->add_flag("--json", options->json, "one JSON document on stdout (docs/json.md)");
    add_store_options(*command, options->store);
    command->callback([options, &work] { work = [options] { return verify(*options); }; });
}

}  // namespace satdl
