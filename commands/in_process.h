// Stages executed in this process, their code loaded when the first of a library must run.
#pragma once

#include "pipeline/schedule.h"
#include "pipeline/stage_library.h"

namespace satdl {

class InProcess final : public Executor {
public:
    [[nodiscard]] Outcome execute(const Node& node, const StageInputs& inputs, StageContext& context) override {
        return libraries_.function(*node.stage)(inputs, context);
    }

private:
    StageLibraries libraries_;
};

}  // namespace satdl
