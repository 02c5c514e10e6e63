// The picture of a graph as SVG: complete in itself, for a file, light or dark as the reader's system is. The page of `satdl report` draws
// the same layout itself (report/run_diagram.h): its boxes are links, and answer to the pointer.
#pragma once

#include <string>

#include "pipeline/display/diagram_layout.h"

namespace satdl {

// Text from the DAG file is escaped. Classes begin with "dag-", so that a page's own style is not met.
[[nodiscard]] std::string to_svg(const Diagram& graph, const std::string& title);

// A line of the layout as the `d` of an SVG path: curved from column to column, straight through a column.
[[nodiscard]] std::string svg_path(const std::vector<DiagramLayout::Point>& line);

}  // namespace satdl
