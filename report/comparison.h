// Comparisons: the two sides of a stage with a Baseline and a Candidate (PortRole), and the pairs of metrics whose difference a sweep
// reports (PortDescription::MetricsRule::pairs).
#pragma once

#include <nlohmann/json.hpp>

#include "report/evidence.h"

namespace satdl {

// One for each stage that compares and has an artifact: {"stage","first","second","names","metric","rows"}; first and second: the stages
// whose metrics it reads; names: of the two sides; rows: the metric of each side, on test and on training data,
// {"side","label","data","candidate","value","source"}. A comparison without numbers is left out.
[[nodiscard]] nlohmann::ordered_json comparisons_json(const RunFacts& run, Evidence& evidence);

// The pairs of columns of a sweep: [{"a","b","names","metric","best"}]; metric: the metric that both are values of, or ""; best: "max",
// "min" or null.
[[nodiscard]] nlohmann::ordered_json paired_json(const RunFacts& run);

}  // namespace satdl
