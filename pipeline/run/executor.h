// How one node is executed: the seam for child processes and clusters.
#pragma once

#include <optional>

#include "pipeline/core/digest.h"
#include "pipeline/dag/dag.h"
#include "pipeline/stage.h"

namespace satdl {

// Called from several threads at once.
class Executor {
public:
    virtual ~Executor() = default;
    // Throws Error (the stage's own message), Stopped, or anything else that the stage threw.
    [[nodiscard]] virtual StageOutput execute(const Node& node, const StageInputs& inputs, StageContext& context) = 0;
    // Whether it executes this node in this process.
    [[nodiscard]] virtual bool is_in_this_process(const Node& /*node*/) const { return true; }
    // SHA-256 of the file whose code it executed for this node; nullopt if there is no such file.
    [[nodiscard]] virtual std::optional<Digest> library(const Node& /*node*/) { return std::nullopt; }
};

}  // namespace satdl
