// The recipe of a node: everything that its result depends on.
//
// Inputs count by content (the digest of what the port carries), so an upstream rerun that yields the same bytes stops there.
#pragma once

#include <vector>

#include "pipeline/core/digest.h"
#include "pipeline/dag/dag.h"
#include "pipeline/plan/machine.h"
#include "pipeline/store/recipe.h"

namespace satdl {

// Whether the number of threads is part of the keys of a kind: of numeric ones, unless their Threads parameter does not change the result.
[[nodiscard]] bool has_threads_in_key(const StageDescription& description);

// The recipe of a node whose inputs and files have these digests. Preconditions: `inputs` has one digest per Node::inputs, in
// its order; `files` one per Node::files. `last`: of the node's last run, or null; it has the versions that `machine` does not know.
[[nodiscard]] Recipe recipe_of(const Dag& dag, const Node& node, int threads, const Machine& machine,
                               const std::vector<Digest>& inputs, const std::vector<Digest>& files, const Recipe* last = nullptr);
}  // namespace satdl
