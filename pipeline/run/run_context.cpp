#include "pipeline/run/run_context.h"

namespace satdl {

RunContext with_observer(const RunContext& run, Observer& observer) {
    // A structured binding names every member or does not compile, so that no new member can be forgotten here.
    const auto& [dag, plan, machine, store, cache, executor, replaced, clock, stop, limits, cohorts, checkpoints,
                 checkpoint_every_seconds, final_checkpoints, claims, wanted] = run;
    return {.dag = dag, .plan = plan, .machine = machine, .store = store, .cache = cache, .executor = executor,
            .observer = observer, .clock = clock, .stop = stop, .limits = limits, .cohorts = cohorts, .checkpoints = checkpoints,
            .checkpoint_every_seconds = checkpoint_every_seconds, .final_checkpoints = final_checkpoints,
            .claims = claims,
            .wanted = wanted};
}

}  // namespace satdl
