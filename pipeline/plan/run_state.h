// What the stages of a DAG were when it last ran, as one digest, so that a run in which nothing changed need not look up
// each of them.
#pragma once

#include <string_view>

#include "pipeline/core/digest.h"

namespace satdl {

// The index's row for it in the history of a DAG: no stage has this name.
inline constexpr const char* kStateStage = "";

// The stages that have an outcome, in the DAG's order. Their histories in the index have these keys as long as the state is
// there.
class RunState {
public:
    void add(std::string_view stage, const Digest& key) { sha_.update("\n").update(stage).update("=").update(key.bytes); }
    [[nodiscard]] Digest finish() { return sha_.finish(); }  // once

private:
    Sha256 sha_;
};

}  // namespace satdl
