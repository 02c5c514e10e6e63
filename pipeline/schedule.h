// Carries a plan out on a oneTBB flow graph; a serial twin proves it.
//
// Independent stages run side by side as far as cores and declared memory admit them, longest remaining path first. Tensors
// go from stage to stage in memory without a copy; they are written behind, by one writer, while the next stages run; a
// tensor is freed when its last consumer has finished and it is on disk.
#pragma once

#include "pipeline/admission.h"
#include "pipeline/executor.h"
#include "pipeline/observer.h"

namespace satdl {

[[nodiscard]] RunResult run_on_flow_graph(const Carrying& carrying, const Limits& limits);
// The same results, one node after the other, in the DAG's order.
[[nodiscard]] RunResult run_serially(const Carrying& carrying, const Limits& limits);

}  // namespace satdl
