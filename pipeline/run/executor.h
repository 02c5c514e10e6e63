// How one node is executed: the seam for child processes and clusters. And what carrying a plan out needs of the world.
#pragma once

#include <atomic>
#include <memory>
#include <optional>

#include "pipeline/plan/plan.h"
#include "pipeline/run/admission.h"
#include "pipeline/run/observer.h"
#include "pipeline/store/checkpoint_store.h"
#include "pipeline/store/store.h"

namespace satdl {

// Called from several threads at once.
class Executor {
public:
    virtual ~Executor() = default;
    // Throws Error (the stage's own words), Stopped, or anything that the stage threw.
    [[nodiscard]] virtual StageOutput execute(const Node& node, const StageInputs& inputs, StageContext& context) = 0;
    // SHA-256 of the file whose code it executed for this node; nothing where no file is known.
    [[nodiscard]] virtual std::optional<Digest> library(const Node& /*node*/) { return std::nullopt; }
};

// Safe from any thread.
class Clock {
public:
    virtual ~Clock() = default;
    [[nodiscard]] virtual double seconds() = 0;  // monotonic
};
[[nodiscard]] std::unique_ptr<Clock> steady_clock();

struct RunContext {  // what a schedule needs, borrowed
    const Dag& dag;
    const Plan& plan;
    const Machine& machine;
    Store& store;
    CacheView& cache;  // asked by one thread at a time
    Executor& executor;
    Observer& observer;
    Clock& clock;
    const std::atomic<bool>& stop;  // set by a signal: running stages are asked to stop, no new one starts
    CheckpointStore* checkpoints = nullptr;  // null: none are kept
    double checkpoint_every_seconds = 60;  // within an epoch
    Cohorts cohorts{};                     // by NodeId
    CheckpointStore* final_checkpoints = nullptr;  // null: none are kept, and nothing begins at one
};

}  // namespace satdl
