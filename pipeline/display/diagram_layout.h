// The layout of a diagram: layered, left to right, after Sugiyama, Tagawa and Toda (1981).
//
// A node's column is the length of the longest path to it; within a column, nodes are ordered by the mean position of their
// neighbours, in a few sweeps, which leaves few crossings. An arrow that skips columns gets a place in each of them, so that it
// passes between boxes; arrows from one node share their places. The same graph always gives the same picture. Graphviz was rejected: it would
// have to be installed.
#pragma once

#include <vector>

#include "pipeline/display/dag_diagram.h"

namespace satdl {

struct DiagramLayout {
    struct Point {
        double x = 0, y = 0;
    };
    struct Box {
        double x = 0, y = 0, width = 0, height = 0;  // x, y: the upper left corner
    };
    double width = 0, height = 0;  // pixels, as all of it
    std::vector<Box> boxes;                 // by node
    std::vector<std::vector<Point>> lines;  // by edge: from the right side of a box to the left side of another
};

// `widths`: of each node's box; `column_gap`: between the widest box of a column and the next column.
[[nodiscard]] DiagramLayout layout_of(const Diagram& graph, const std::vector<double>& widths, double column_gap = 56);

}  // namespace satdl
