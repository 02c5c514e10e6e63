// The picture of a run's DAG, placed: the page draws the boxes and lines where pipeline/display/diagram_layout puts them.
#pragma once

#include <nlohmann/json.hpp>

#include "report/facts.h"

namespace satdl {

// {"width","height","boxes":[{"label","stages","x","y","width","height"}],"edges":[{"from","to","path"}]}; a box's stages are positions
// in the run's, an edge's ends positions in `boxes`, its path what an SVG path's `d` holds. Of more than kMaxBoxes stages, those
// that differ only by their point of a sweep are one box.
inline constexpr std::size_t kMaxBoxes = 60;
[[nodiscard]] nlohmann::ordered_json run_diagram(const RunFacts& run);

}  // namespace satdl
