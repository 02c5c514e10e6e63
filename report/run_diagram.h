// The drawing of a run's DAG, with the places that pipeline/display/diagram_layout gives its boxes and lines; the page only draws them.
#pragma once

#include <nlohmann/json.hpp>

#include "report/facts.h"

namespace satdl {

// {"width","height","boxes":[{"label","stages","x","y","width","height"}],"edges":[{"from","to","path"}]}; a box's stages are positions
// in the run's, an edge's ends positions in `boxes`, its path what an SVG path's `d` holds. With more than kMaxBoxes
// stages, all points of a stage in a sweep are one box.
inline constexpr std::size_t kMaxBoxes = 60;
[[nodiscard]] nlohmann::ordered_json run_diagram(const RunFacts& run);

}  // namespace satdl
