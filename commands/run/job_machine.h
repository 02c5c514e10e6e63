// Whether a machine computes the bits for which a plan was made.
#pragma once

#include <optional>
#include <string>

#include "pipeline/catalog/library_loader.h"
#include "pipeline/dag/dag.h"
#include "pipeline/plan/machine.h"

namespace satdl {

// Lets LibTorch use no more instructions than the node's job says, if it says less than this machine has ("AVX2 of AVX512"). Must be called
// before a library is loaded and threads are started.
void cap_cpu_for(const Node& node);

// Why this machine would compute other bits of the node than `planned` makes us believe, in words for the user: what differs, and what to
// write in the DAG. nullopt: it would not. `name`: of this machine. Loads the node's library if it may compute on a GPU.
[[nodiscard]] std::optional<std::string> other_bits(const Dag& dag, const Node& node, const Machine& planned, const Machine& here,
                                                    const std::string& name, StageLibraries& libraries);

}  // namespace satdl
