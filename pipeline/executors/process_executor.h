// Stages executed in processes of their own, from outside: what crashes, exits, hangs or eats all memory fails its stage, and nothing
// else. worker_process.h is the other end; reaper.h ensures that nothing survives.
//
// The outcome is the same to the last byte as that of a stage executed in this process. Inputs and outputs are copied once each.
#pragma once

#include <string>

#include "pipeline/catalog/library_loader.h"
#include "pipeline/run/executor.h"

namespace satdl {

class ProcessExecutor final : public Executor {
public:
    explicit ProcessExecutor(StageLibraries& libraries);
    // `program`: not this one, but another that answers to run_worker().
    ProcessExecutor(StageLibraries& libraries, std::string program) : libraries_(libraries), program_(std::move(program)) {}

    // Throws what the stage threw (what is not an exception as another type), and Error{StageFailed}, with its last output,
    // if its process ended otherwise. A stage that does not stop within its grace period after its timeout is killed.
    [[nodiscard]] StageOutput execute(const Node& node, const StageInputs& inputs, StageContext& context) override;
    [[nodiscard]] std::optional<Digest> library(const Node& node) override { return libraries_.digest(*node.stage); }

private:
    StageLibraries& libraries_;
    const std::string program_;
};

}  // namespace satdl
