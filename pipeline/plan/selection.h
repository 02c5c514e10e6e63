// Which stages a request includes, and which of them it may run.
#pragma once

#include <string>
#include <vector>

#include "pipeline/dag/dag.h"

namespace satdl {

// What the user requested. Default: every stage.
struct Request {
    std::vector<std::string> targets{};     // stages or groups, with all that they depend on
    std::vector<std::string> single{};      // -s: only these, with inputs from the store
    std::vector<std::string> downstream{};  // these and all that depends on them (and what those need)
    bool force = false;                     // -f: the named stages (all, if none is named) run even if the store has them
};

enum class Part {
    Excluded,
    ReadOnly,  // an ancestor of a single stage: its output may be taken from the store, but it may not run
    Included,
};

struct Selection {  // both by NodeId
    std::vector<Part> parts;
    std::vector<bool> forced;
};

// Throws Error{Usage} naming every target that does not exist.
[[nodiscard]] Selection select(const Dag& dag, const Request& request);

}  // namespace satdl
