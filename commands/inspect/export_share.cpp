#include "commands/inspect/export_share.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "commands/shared/artifact_reference.h"
#include "commands/shared/run_liveness.h"
#include "pipeline/core/ascii.h"
#include "pipeline/records/link_results.h"
#include "pipeline/records/run_record.h"
#include "report/facts.h"

namespace fs = std::filesystem;

namespace satdl {

namespace {

class ShareCollector {
public:
    ShareCollector(const StoreOptions& options, OpenStore& open) : options_(options), open_(open) {}

    Share collect(const std::string& what, const std::string& dag) {
        if (is_run(what))
            add_run(find_run(open_.folder(), what, open_.files()));
        else if (is_dag(what, dag))
            add_dag(what);
        else
            add_stage(what, dag);
        add_origins();
        add_records();
        return std::move(share_);
    }

private:
    // Ids of runs begin with a digit, as keys may: those are of digits and the letters up to f.
    [[nodiscard]] bool is_run(const std::string& what) const {
        if (!is_digit(what.front()) || what.find(':') != std::string::npos || fs::exists(what)) return false;
        if (what.size() < kShortestKey) return true;
        return std::ranges::none_of(open_.store().keys(), [&](const Digest& key) { return key.hex().starts_with(what); });
    }

    [[nodiscard]] bool is_dag(const std::string& what, const std::string& dag) {
        const fs::path results = options_.results_folder();
        if (!dag.empty() || !fs::is_directory(results / file_name_of(what))) return false;
        const ResultLinks last(results, "", open_.files());
        if (open_.files().stamp(last.path_of(what)))
            throw Error(ExitCode::Usage,
                        fmt::format("'{}' is a DAG, and a stage of {}", printable(what), printable(last.dag())),
                        fmt::format("--dag {} means the stage; for the DAG name one of its runs: `satdl log {}` lists them",
                                    last.dag(), what));
        return true;
    }

    void add_run(const std::string& run) {
        const RunFacts facts = facts_of_run(open_.folder(), run, open_.files());
        if (!facts.seconds && may_be_running(facts.process, open_.folder()))
            throw Error(ExitCode::Usage, fmt::format("run {} is still running", run), "export it when it has ended");
        share_.runs.insert(run);
        for (const StageFacts& stage : facts.stages)
            if (stage.has_outcome() && stage.key && open_.files().stamp(open_.store().path_of(*stage.key)))
                share_.artifacts.insert(*stage.key);
        if (share_.artifacts.empty())
            throw Error(ExitCode::Usage, fmt::format("run {} has no artifact that is still in the store", run),
                        "a run of its DAG makes them again");
    }

    void add_dag(const std::string& dag) {
        for (const LinkedStage& stage : ResultLinks(options_.results_folder(), dag, open_.files()).stages())
            if (stage.header) share_.artifacts.insert(stage.header->key);
        if (share_.artifacts.empty())
            throw Error(ExitCode::Usage, fmt::format("no stage of {} has an artifact in the store", printable(dag)),
                        "run the DAG first");
    }

    void add_stage(const std::string& what, const std::string& dag) {
        ArtifactReferences references(options_, dag, open_);
        const ArtifactRef found = references.find(what);
        const ArtifactHeader header = header_of(found, open_.files());
        if (!open_.files().stamp(open_.store().path_of(header.key)))
            throw Error(ExitCode::Usage, fmt::format("'{}' is not an artifact of this store", printable(what)),
                        "--store names another");
        if (!found.tensor.empty())
            throw Error(ExitCode::Usage,
                        fmt::format("'{}' is a part of an artifact, and a .tar has whole ones", printable(what)),
                        "name the stage alone, or write .npz or .safetensors");
        share_.artifacts.insert(header.key);
    }

    // Whatever gave an input its bytes, and so on, back to the sources. If several artifacts did, all of them: a run may
    // reuse any.
    void add_origins() {
        std::map<Digest, ArtifactHeader> headers;
        std::multimap<Digest, Digest> makers;  // the digest of an output -> keys
        for (const Digest& key : open_.store().keys()) {
            try {
                auto header = open_.store().header(key);
                if (!header) continue;
                for (const auto& [port, digest] : header->port_digests) makers.emplace(digest, key);
                headers.emplace(key, std::move(*header));
            } catch (const DamagedArtifact&) {  // of those that are exported, write_share() says so
            }
        }
        std::vector<Digest> open(share_.artifacts.begin(), share_.artifacts.end());
        while (!open.empty()) {
            const Digest key = open.back();
            open.pop_back();
            const auto header = headers.find(key);
            if (header == headers.end()) continue;
            for (const KeyPart& part : header->second.recipe) {
                const auto digest = part.name.starts_with("input ") ? Digest::from_hex(part.value) : std::nullopt;
                if (!digest) continue;
                const auto [first, last] = makers.equal_range(*digest);
                for (auto maker = first; maker != last; ++maker)
                    if (share_.artifacts.insert(maker->second).second) open.push_back(maker->second);
            }
        }
    }

    // Of each artifact the newest run that made it, and the newest that has it.
    void add_records() {
        std::set<Digest> unmade = share_.artifacts, unseen = share_.artifacts;
        for (const std::string& run : recorded_runs(open_.folder(), open_.files())) {
            if (unmade.empty()) return;
            const RunFacts facts = facts_of_run(open_.folder(), run, open_.files());
            if (!facts.seconds && may_be_running(facts.process, open_.folder())) continue;
            for (const StageFacts& stage : facts.stages) {
                if (!stage.key || !stage.has_outcome()) continue;
                const bool made = stage.outcome != "reused" && unmade.erase(*stage.key) > 0,
                           seen = unseen.erase(*stage.key) > 0;
                if (made || seen) share_.runs.insert(run);
            }
        }
    }

    const StoreOptions& options_;
    OpenStore& open_;
    Share share_;
};

}  // namespace

Share share_of(const std::string& what, const std::string& dag, const StoreOptions& store, OpenStore& open) {
    return ShareCollector(store, open).collect(what, dag);
}

}  // namespace satdl
