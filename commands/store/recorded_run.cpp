#include "commands/store/recorded_run.h"

#include <algorithm>
#include <array>
#include <utility>

#include "commands/shared/large_arrays_in_use.h"
#include "commands/shared/run_display.h"
#include "commands/shared/warnings.h"
#include "pipeline/executors/command_versions.h"
#include "pipeline/executors/stage_executor.h"
#include "pipeline/os/file_trust.h"
#include "pipeline/os/shared_library.h"
#include "pipeline/plan/placement.h"
#include "pipeline/records/recorded_dag.h"
#include "pipeline/run/scheduler.h"
#include "pipeline/store/layout.h"

namespace satdl {

const NodeResult* RerunResult::find(const std::string& stage) const {
    const auto found =
        std::ranges::find_if(result.nodes, [&](const NodeResult& node) { return dag.nodes[node.node].name == stage; });
    return found == result.nodes.end() ? nullptr : &*found;
}

RecordedRunner::RecordedRunner(const RecordedRunOptions& options, OpenStore& records, const StopSignals& signals)
    : options_(options),
      records_(records),
      signals_(signals),
      catalog_(load_catalog(program_folder(), options.stages)),
      machine_(this_machine()) {
    if (!options_.trust) check_file_owners(std::array{records_.folder() / store_layout::kRuns}, trusted_owners(), owner_of);
}

RerunResult RecordedRunner::run(const std::string& id, const std::vector<std::string>& targets, OpenStore& into) {
    RerunResult rerun{recorded_dag(records_.folder(), id, catalog_, records_.files()), {}};
    const Dag& dag = rerun.dag;
    Request request;
    request.targets = targets;
    for (const Node& node : dag.nodes)
        if (node.command && !options_.trust) check_file_owners(code_of(node), trusted_owners(), owner_of);
    machine_.gpus = find_gpus(dag, request, libraries_);
    machine_.versions = run_version_commands(dag, request);
    StoreCacheView cache(dag.name, into.store(), into.index(), into.files(), into.checkpoints(), nullptr);
    const Plan plan = make_plan(dag, request, machine_, cache);
    const auto clock = steady_clock();
    const auto display = display_on_stdout(options_.quiet ? DisplayMode::Nothing : DisplayMode::Progress,
                                           {id, SATDL_VERSION, machine_.cores}, *clock);
    if (!std::exchange(has_warned_, true)) warn_of_ignored_variables(plan, machine_);
    StageExecutor executor(libraries_, into.folder() / store_layout::kWork);
    const Limits limits = default_limits({.keep_going = options_.keep_going}, machine_);
    const LargeArraysInUse large_arrays(into.folder(), limits, libraries_);
    rerun.result = run_on_flow_graph({.dag = dag,
                                      .plan = plan,
                                      .machine = machine_,
                                      .store = into.store(),
                                      .cache = cache,
                                      .executor = executor,
                                      .observer = *display,
                                      .clock = *clock,
                                      .stop = signals_.stop(),
                                      .limits = limits,
                                      .checkpoints = &into.checkpoints()});
    return rerun;
}

}  // namespace satdl
