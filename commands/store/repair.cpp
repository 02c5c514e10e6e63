#include "commands/store/repair.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

#include "commands/shared/large_arrays_in_use.h"
#include "commands/shared/run_display.h"
#include "commands/shared/signals.h"
#include "commands/shared/warnings.h"
#include "pipeline/display/text_format.h"
#include "pipeline/executors/command_versions.h"
#include "pipeline/executors/stage_executor.h"
#include "pipeline/os/file_trust.h"
#include "pipeline/plan/placement.h"
#include "pipeline/plan/recipe_diff.h"
#include "pipeline/records/recorded_dag.h"
#include "pipeline/run/scheduler.h"
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

class Repair {
public:
    Repair(const RepairOptions& options, OpenStore& open)
        : options_(options), open_(open), catalog_(load_catalog(program_folder(), options.stages)), machine_(this_machine()) {}

    std::optional<ExitCode> run(std::vector<QuarantinedArtifact>& quarantined) {
        if (!options_.trust) check_file_owners(std::array{open_.folder() / store_layout::kRuns}, trusted_owners(), owner_of);
        std::map<std::string, std::vector<QuarantinedArtifact*>> by_run;
        std::set<Digest> keys;
        for (const QuarantinedArtifact& one : quarantined) keys.insert(one.key);
        const auto recorded = find_recorded_stages(open_.folder(), std::move(keys), open_.files());
        for (QuarantinedArtifact& one : quarantined) {
            one.failure = "no run record says how it was computed; a run of its DAG recomputes it";
            const auto found = recorded.find(one.key);
            if (found == recorded.end()) continue;
            one.stage = found->second.stage;
            by_run[found->second.run].push_back(&one);
        }
        for (const auto& [id, of_run] : by_run) {
            try {
                repair(id, of_run);
            } catch (const Error& error) {
                for (QuarantinedArtifact* one : of_run) one->failure = error.what();
            }
            if (const auto code = signals_.exit_code()) return code;
        }
        return std::nullopt;
    }

private:
    void repair(const std::string& id, const std::vector<QuarantinedArtifact*>& quarantined) {
        const Dag dag = recorded_dag(open_.folder(), id, catalog_, open_.files());
        Request request;
        for (const QuarantinedArtifact* one : quarantined) request.targets.push_back(one->stage);
        for (const Node& node : dag.nodes)
            if (node.command && !options_.trust) check_file_owners(code_of(node), trusted_owners(), owner_of);
        machine_.gpus = find_gpus(dag, request, libraries_);
        machine_.versions = run_version_commands(dag, request);
        StoreCacheView cache(dag.name, open_.store(), open_.index(), open_.files(), open_.checkpoints(), nullptr);
        const Plan plan = make_plan(dag, request, machine_, cache);
        const auto clock = steady_clock();
        const auto display = display_on_stdout(options_.quiet ? DisplayMode::Nothing : DisplayMode::Progress,
                                               {id, SATDL_VERSION, machine_.cores}, *clock);
        if (!std::exchange(has_warned_, true)) warn_of_ignored_variables(plan, machine_);
        StageExecutor executor(libraries_, open_.folder() / store_layout::kWork);
        const Limits limits = default_limits({.keep_going = true}, machine_);
        const LargeArraysInUse large_arrays(open_.folder(), limits, libraries_);
        const RunResult result = run_on_flow_graph({.dag = dag,
                                                    .plan = plan,
                                                    .machine = machine_,
                                                    .store = open_.store(),
                                                    .cache = cache,
                                                    .executor = executor,
                                                    .observer = *display,
                                                    .clock = *clock,
                                                    .stop = signals_.stop(),
                                                    .limits = limits,
                                                    .checkpoints = &open_.checkpoints()});
        for (QuarantinedArtifact* one : quarantined) {
            for (const NodeResult& node : result.nodes)
                if (dag.nodes[node.node].name == one->stage) one->failure = failure_of(*one, node);
        }
    }

    const RepairOptions& options_;
    OpenStore& open_;
    const Catalog catalog_;
    Machine machine_;
    StageLibraries libraries_;
    const StopSignals signals_;
    bool has_warned_ = false;
};

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

std::optional<ExitCode> repair(std::vector<QuarantinedArtifact>& quarantined, OpenStore& open, const RepairOptions& options) {
    return Repair(options, open).run(quarantined);
}

}  // namespace satdl
