// Stages executed in this process, their code loaded when the first of a library must run; or each in its own process, if the
// user or the stage asks for it, or it is a program.
#pragma once

#include "pipeline/catalog/library_loader.h"
#include "pipeline/executors/command_executor.h"
#include "pipeline/executors/process_executor.h"

namespace satdl {

enum class Isolate { IfRequested, All };

class StageExecutor final : public Executor {
public:
    // `libraries`: those of the plan, so that a library is checked and loaded once a run. `work`: for the folders of programs.
    StageExecutor(StageLibraries& libraries, std::filesystem::path work, Isolate isolate = Isolate::IfRequested)
        : isolate_(isolate), libraries_(libraries), commands_(std::move(work)) {}

    [[nodiscard]] StageOutput execute(const Node& node, const StageInputs& inputs, StageContext& context) override {
        if (node.command) return commands_.execute(node, inputs, context);
        if (!is_in_this_process(node)) return isolated_.execute(node, inputs, context);
        return libraries_.function(*node.stage)(inputs, context);
    }
    [[nodiscard]] bool is_in_this_process(const Node& node) const override {
        return !node.command && isolate_ != Isolate::All && !node.policy.isolated();
    }
    [[nodiscard]] std::optional<Digest> library(const Node& node) override {
        return node.command ? std::nullopt : libraries_.digest(*node.stage);
    }

private:
    const Isolate isolate_;
    StageLibraries& libraries_;
    ProcessExecutor isolated_{libraries_};
    CommandExecutor commands_;
};

}  // namespace satdl
