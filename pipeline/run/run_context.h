// Everything that carrying out a plan needs of the world around it.
#pragma once

#include <atomic>

#include "pipeline/plan/plan.h"
#include "pipeline/run/admission.h"
#include "pipeline/run/clock.h"
#include "pipeline/run/executor.h"
#include "pipeline/run/job_executor.h"
#include "pipeline/run/observer.h"
#include "pipeline/store/checkpoint_store.h"
#include "pipeline/store/key_claims.h"
#include "pipeline/store/store.h"

namespace satdl {

// All borrowed. Fill it with designated initializers: half of the members have the same shape.
struct RunContext {
    const Dag& dag;
    const Plan& plan;
    const Machine& machine;
    Store& store;
    CacheView& cache;  // used by one thread at a time
    Executor& executor;
    Observer& observer;  // called by one thread at a time: NodeRunner sees to that
    Clock& clock;
    const std::atomic<bool>& stop;  // set by a signal: running stages are asked to stop, and no new one starts
    Limits limits{};
    Cohorts cohorts{};                             // by NodeId
    CheckpointStore* checkpoints = nullptr;        // null: none are written or used
    double checkpoint_every_seconds = 60;          // within an epoch
    CheckpointStore* final_checkpoints = nullptr;  // null: none are written or used
    KeyClaims* claims = nullptr;                   // null: other processes on the store are not looked for
    JobExecutor* jobs = nullptr;                   // of the nodes that it takes; null: all are executed here
    const std::atomic<bool>* detach = nullptr;     // set before `stop`: jobs are left alone; null: a stop cancels them
    std::vector<NodeId> wanted{};                  // sorted; their files must be here at the end: fetched or made
};

// The same run, reported to another observer.
[[nodiscard]] RunContext with_observer(const RunContext& run, Observer& observer);

}  // namespace satdl
