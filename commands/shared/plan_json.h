// A plan as JSON: what `status --json` and `run -n --json` print (docs/json.md).
#pragma once

#include "pipeline/core/json.h"
#include "pipeline/plan/plan.h"

namespace satdl {

[[nodiscard]] Json plan_json(const Dag& dag, const Plan& plan);

}  // namespace satdl
