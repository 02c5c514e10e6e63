// Carries a plan out on a oneTBB flow graph; a serial twin proves it.
//
// Independent stages run side by side as far as cores and declared memory admit them, longest remaining path first. Tensors
// go from stage to stage in memory without a copy; they are written behind, by one writer, while the next stages run; a
// tensor is freed when its last consumer has finished and it is on disk. Small outputs that wait for the writer are written together.
#pragma once

#include <functional>
#include <memory>

#include "pipeline/plan/machine.h"
#include "pipeline/run/run_context.h"

namespace satdl {

// Threads for runs one after another. oneTBB 2021.8 takes long to destroy an arena of threads: a program that does thousands of runs
// in one process (tests, benchmarks) reuses one of these.
class Workers {
public:
    // Room for every job and the writer, whatever oneTBB thinks of this machine: a writer that waits for the disk needs no core.
    Workers(const Machine& machine, const Limits& limits);
    ~Workers();
    Workers(const Workers&) = delete;
    Workers& operator=(const Workers&) = delete;

    void run(const std::function<void()>& body);  // in the arena; returns when the body does

private:
    struct Arena;
    std::unique_ptr<Arena> arena_;
};

// If nothing may run, no thread is started: it is then run_serially().
[[nodiscard]] RunResult run_on_flow_graph(const RunContext& run);
[[nodiscard]] RunResult run_on_flow_graph(const RunContext& run, Workers& workers);
// The same results, one node after the other, in the DAG's order; `together` of those that ran are written at once.
[[nodiscard]] RunResult run_serially(const RunContext& run, std::size_t together = 1);

}  // namespace satdl
