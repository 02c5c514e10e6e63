// Stages executed in this process, their code loaded when the first of a library must run; or each in its own process, if the
// user or the stage asks for it.
#pragma once

#include "pipeline/catalog/library_loader.h"
#include "pipeline/executors/process_executor.h"

namespace satdl {

enum class Isolate { IfRequested, All };

class StageExecutor final : public Executor {
public:
    // `libraries`: those of the plan, so that a library is checked and loaded once a run.
    explicit StageExecutor(StageLibraries& libraries, Isolate isolate = Isolate::IfRequested) : isolate_(isolate), libraries_(libraries) {}

    [[nodiscard]] StageOutput execute(const Node& node, const StageInputs& inputs, StageContext& context) override {
        if (isolate_ == Isolate::All || node.policy.isolated()) return isolated_.execute(node, inputs, context);
        return libraries_.function(*node.stage)(inputs, context);
    }
    [[nodiscard]] std::optional<Digest> library(const Node& node) override { return libraries_.digest(*node.stage); }

private:
    const Isolate isolate_;
    StageLibraries& libraries_;
    ProcessExecutor isolated_{libraries_};
};

}  // namespace satdl
