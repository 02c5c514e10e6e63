// The outputs that are in memory between stages: each until its last consumer is done and it is on disk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "pipeline/stage.h"

namespace satdl {

using LiveOutput = std::shared_ptr<const StageOutput>;

// Safe from any thread. Nodes are numbers from 0.
class LiveOutputs {
public:
    // `users`: by node, how many consumers may need its output.
    explicit LiveOutputs(const std::vector<std::size_t>& users);

    [[nodiscard]] LiveOutput find(std::size_t node);
    void put_computed(std::size_t node, LiveOutput outcome);    // held until written(), too
    void put_loaded(std::size_t node, LiveOutput outcome);  // dropped at once if no consumer is left
    void written(std::size_t node);                          // or given up
    void user_done(std::size_t node);
    [[nodiscard]] std::uint64_t bytes(std::size_t node);  // 0 if it is not held, or in mapped files
    [[nodiscard]] std::uint64_t bytes();  // of outputs in memory: that of mapped files can be reclaimed

private:
    struct HeldOutput {
        LiveOutput outcome;
        std::size_t users = 0;
        bool to_be_written = false;
        std::uint64_t bytes = 0;
    };
    // With mutex_ held. Release what it returns without the lock: freeing tensors takes time.
    [[nodiscard]] LiveOutput release_if_done(HeldOutput& holding);

    std::mutex mutex_;
    std::vector<HeldOutput> held_outputs_;  // guarded by mutex_
    std::uint64_t bytes_ = 0;        // guarded by mutex_
};

}  // namespace satdl
