// The picture of a graph as SVG: complete in itself, for a file or within a page, light or dark as the reader's system is.
#pragma once

#include <string>

#include "pipeline/display/dag_diagram.h"

namespace satdl {

// Text from the DAG file is escaped. Classes begin with "dag-", so that a page's own style is not met; a page may style
// "dag-node" and "dag-STATE" (dag-ran, dag-failed, ...) anew.
[[nodiscard]] std::string to_svg(const Diagram& graph, const std::string& title);

// `& < > " '` as entities, control characters and bad UTF-8 as \xNN: for text and attributes of XML and HTML.
[[nodiscard]] std::string escaped_for_xml(std::string_view text);

}  // namespace satdl
