// Carries a plan out on a oneTBB flow graph; a serial twin proves it.
//
// Independent stages run side by side as far as cores and declared memory admit them, longest remaining path first. Tensors
// go from stage to stage in memory without a copy; they are written behind, by one writer, while the next stages run; a
// tensor is freed when its last consumer has finished and it is on disk.
#pragma once

#include <atomic>
#include <cstdint>

#include "pipeline/observer.h"
#include "pipeline/plan.h"
#include "pipeline/store.h"

namespace satdl {

// How one node is executed: the seam for child processes and clusters. Called from several threads at once.
class Executor {
public:
    virtual ~Executor() = default;
    // Throws Error (the stage's own words), Stopped, or anything that the stage threw.
    [[nodiscard]] virtual Outcome execute(const Node& node, const StageInputs& inputs, StageContext& context) = 0;
};

class Clock {
public:
    virtual ~Clock() = default;
    [[nodiscard]] virtual double seconds() = 0;  // monotonic
};
[[nodiscard]] std::unique_ptr<Clock> steady_clock();

struct Limits {
    int jobs = 0;                    // stages side by side; 0: as many as the cores admit
    std::uint64_t memory_bytes = 0;  // for stages and the tensors between them; 0: no limit
    bool keep_going = false;         // -k: a failure stops only what depends on it
};

struct Carrying {  // what a schedule needs, borrowed
    const Dag& dag;
    const Plan& plan;
    const Machine& machine;
    Store& store;
    Knowledge& knowledge;
    Executor& executor;
    Observer& observer;
    Clock& clock;
    const std::atomic<bool>& stop;  // set by a signal: running stages are asked to stop, no new one starts
};

[[nodiscard]] RunResult run_on_flow_graph(const Carrying& carrying, const Limits& limits);
// The same results, one node after the other, in the DAG's order.
[[nodiscard]] RunResult run_serially(const Carrying& carrying, const Limits& limits);

}  // namespace satdl
