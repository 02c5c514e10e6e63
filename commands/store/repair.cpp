#include "commands/store/repair.h"

#include <fmt/format.h>

#include <map>
#include <set>
#include <utility>

#include "pipeline/plan/recipe_diff.h"
#include "pipeline/records/recorded_dag.h"
#include "pipeline/store/layout.h"

namespace fs = std::filesystem;

namespace satdl {

namespace {

// Why an artifact was not repaired; "" if it was.
std::string failure_of(const QuarantinedArtifact& quarantined, const NodeResult& result) {
    if (result.state == NodeState::Failed) return result.error;
    if (!result.not_kept.empty()) return "recomputed, but not stored: " + result.not_kept;
    if (result.key && *result.key != quarantined.key)
        return "its key would be different here: " +
               (quarantined.header ? first_difference(quarantined.header->recipe, result.recipe) : "its recipe is lost");
    if (!succeeded(result.state)) return result.because;
    if (quarantined.header && result.outputs != quarantined.header->port_digests)
        return "recomputed, but its digests differ from the recorded ones: the stage is not deterministic";
    return {};
}

void repair_run(RecordedRunner& runner, const std::string& id, const std::vector<QuarantinedArtifact*>& quarantined,
                OpenStore& open) {
    std::vector<std::string> stages;
    for (const QuarantinedArtifact* one : quarantined) stages.push_back(one->stage);
    const RerunResult rerun = runner.run(id, stages, open);
    for (QuarantinedArtifact* one : quarantined)
        if (const NodeResult* const node = rerun.find(one->stage)) one->failure = failure_of(*one, *node);
}

}  // namespace

std::string QuarantinedArtifact::describe() const {
    if (!failure.empty()) return failure;
    return header ? "digests as recorded" : "its header is lost, so there is nothing to compare with";
}

std::vector<QuarantinedArtifact> quarantined_artifacts(OpenStore& open) {
    std::map<Digest, std::optional<ArtifactHeader>> found;
    const fs::path folder = open.folder() / store_layout::kQuarantine;
    for (const std::string& name : open.files().list(folder)) {
        const auto key = Digest::from_hex(std::string_view(name).substr(0, name.find('.')));
        if (!key || open.files().stamp(open.store().path_of(*key))) continue;
        auto& header = found[*key];
        try {
            ArtifactHeader read = read_header(open.files(), folder / name);
            if (read.key == *key) header = std::move(read);
        } catch (const DamagedArtifact&) {
        }
    }
    std::vector<QuarantinedArtifact> quarantined;
    for (auto& [key, header] : found) quarantined.push_back({key, std::move(header), {}, {}});
    return quarantined;
}

std::optional<ExitCode> repair(std::vector<QuarantinedArtifact>& quarantined, OpenStore& open,
                               const RecordedRunOptions& options) {
    const StopSignals signals;
    RecordedRunner runner(options, open, signals);
    std::map<std::string, std::vector<QuarantinedArtifact*>> by_run;
    std::set<Digest> keys;
    for (const QuarantinedArtifact& one : quarantined) keys.insert(one.key);
    const auto recorded = find_recorded_stages(open.folder(), std::move(keys), open.files());
    for (QuarantinedArtifact& one : quarantined) {
        one.failure = "no run record says how it was computed; a run of its DAG recomputes it";
        const auto found = recorded.find(one.key);
        if (found == recorded.end()) continue;
        one.stage = found->second.stage;
        by_run[found->second.run].push_back(&one);
    }
    for (const auto& [id, of_run] : by_run) {
        try {
            repair_run(runner, id, of_run, open);
        } catch (const Error& error) {
            for (QuarantinedArtifact* one : of_run) one->failure = error.what();
        }
        if (const auto code = signals.exit_code()) return code;
    }
    return std::nullopt;
}

}  // namespace satdl
