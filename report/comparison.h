// What stages compare: the two sides of a stage with a Baseline and a Candidate (PortRole), and the pairs of metrics of which a sweep
// tells whether they differ (PortDescription::MetricsRule::pairs).
#pragma once

#include <nlohmann/json.hpp>

#include "report/evidence.h"

namespace satdl {

// Of each stage that compares and has an artifact: {"stage","first","second","names","metric","rows"}; first and second: the stages
// whose metrics it reads; names: what it calls the two sides; rows: the metric of each side on each data that the stage reads,
// {"side","data","candidate","value","source"}. A comparison without numbers is left out.
[[nodiscard]] nlohmann::ordered_json comparisons_json(const RunFacts& run, Evidence& evidence);

// Of the columns of a sweep: [{"a","b","names","metric","best"}]; metric: which one both are values of, or ""; best: "max", "min" or null.
[[nodiscard]] nlohmann::ordered_json paired_json(const RunFacts& run);

}  // namespace satdl
