// Which stage may start next: as many as jobs, cores, memory and cohorts allow, the one with the longest remaining path first.
//
// A stage that does not fit holds up those after it, even smaller ones that would fit: else a training that needs every core
// could wait until the last of a thousand small stages is done, though all the others depend on it. What requests more than
// there is runs alone.
//
// A GPU is for one stage at a time. Stages that wait only for a GPU are overtaken: they take nothing that the others need.
//
// A cohort, of which few are in flight at the same time, is a set of nodes (the stages that only one point of a sweep has).
// It is in flight from the start of its first node until all its nodes are done, run or not. Nodes of a cohort that must wait for
// another are overtaken: what is in flight must finish.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "pipeline/dag/port_type.h"
#include "pipeline/plan/machine.h"
#include "pipeline/stage.h"

namespace satdl {

struct Limits {
    int jobs = 0;                    // maximum of concurrent stages; 0: limited by cores
    std::uint64_t memory_bytes = 0;  // for stages and the tensors between them; 0: no limit
    bool keep_going = false;         // -k: a failure stops only what depends on it
    std::size_t cohorts = 0;         // in flight, at most; 0: no limit
    std::uint64_t large_array_bytes = 0;  // arrays of so many bytes lie in files (os/large_arrays.h); 0: none does
};

// `limits`, with four fifths of the machine's memory if they set none, and large arrays in files.
[[nodiscard]] Limits default_limits(Limits limits, const Machine& machine);

// By node: its cohort, if it has one; empty: there are no cohorts. What a node of a cohort needs is in the same cohort or in none,
// and what has none needs nothing that has one: so what is in flight never waits for what must not start.
using Cohorts = std::vector<std::optional<std::size_t>>;

// What a stage occupies while it runs.
struct ResourceRequest {
    int threads = 1;
    std::uint64_t bytes = 0;
    int gpus = 0;  // it takes one of so many; 0: none
};

// Memory that a stage declares for its run, beyond its inputs: see StageDescription. `types`: of its outputs and its network.
// `large_array_bytes`: as in Limits.
[[nodiscard]] std::uint64_t declared_memory(const StageDescription& stage, std::uint64_t input_bytes, const NodeTypes& types,
                                            std::uint64_t large_array_bytes = 0);

// Safe from any thread.
class Admission {
public:
    Admission(const Limits& limits, int cores, Cohorts cohorts = {});

    // `priority`: seconds that the rest of the run takes at least, once this starts. Ties go by `node`.
    void offer(std::size_t node, const ResourceRequest& need, double priority);
    // Those that start now, given the bytes of the tensors that are held between stages.
    [[nodiscard]] std::vector<std::size_t> admit(std::uint64_t held_bytes);
    [[nodiscard]] int gpu_of(std::size_t node);  // its number, of an admitted node that takes one; else 0
    void finished(std::size_t node);  // an admitted node has released its cores and memory
    void done(std::size_t node);      // once per node: it has run, or will not
    // `other` waits for `node`: if they are not in one cohort, and it does not run yet, it leaves its cohort.
    void awaited(std::size_t node, std::size_t other);

private:
    using QueuePosition = std::pair<double, std::size_t>;  // (-priority, node): the first goes first
    struct Waiter {
        ResourceRequest need;
        QueuePosition place;
        bool runs = false;
        std::optional<int> gpu{};  // while it runs
    };

    [[nodiscard]] std::optional<int> free_gpu(const ResourceRequest& need) const;
    [[nodiscard]] bool fits(const ResourceRequest& need, std::uint64_t held_bytes) const;
    [[nodiscard]] std::optional<std::size_t> cohort_of(std::size_t node) const;
    [[nodiscard]] std::optional<QueuePosition> first_of(const std::set<QueuePosition>& places) const;
    [[nodiscard]] std::optional<std::size_t> next() const;
    void start(std::size_t node);
    void leave_cohort(std::size_t node);

    const Limits limits_;
    const int cores_;

    std::mutex mutex_;  // guards all below
    std::set<QueuePosition> waiting_;
    std::set<QueuePosition> held_back_;           // waiting, of cohorts that are not in flight
    std::map<std::size_t, std::vector<QueuePosition>> held_of_;  // by cohort: those held back, perhaps no longer
    std::map<std::size_t, Waiter> requests_;  // what waits or runs
    std::size_t running_ = 0;
    int cores_taken_ = 0;
    std::uint64_t bytes_taken_ = 0;
    std::set<int> gpus_taken_;
    Cohorts cohorts_;                           // by node; nullopt once it is done
    std::map<std::size_t, std::size_t> to_do_;  // by cohort: nodes that are not done
    std::set<std::size_t> in_flight_;           // cohorts
};

}  // namespace satdl
