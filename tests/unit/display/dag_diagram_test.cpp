#include "pipeline/display/dag_diagram.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cmath>

#include "pipeline/display/diagram_layout.h"
#include "pipeline/display/diagram_svg.h"

using namespace satdl;
using Catch::Contains;

namespace {

Diagram diamond() {
    Diagram graph;
    for (const char* name : {"a", "b", "c", "d"}) graph.nodes.push_back({name, "kind", "", ""});
    graph.edges = {{0, 1}, {0, 2}, {1, 3}, {2, 3}, {0, 3}};
    return graph;
}

}  // namespace

TEST_CASE("a graph for Graphviz and for Mermaid, to the letter") {
    Diagram graph;
    graph.nodes = {{"a", "load", "reuse", "2 s"}, {"b", "train", "", ""}};
    graph.edges = {{0, 1}};
    CHECK(to_dot(graph, "g") ==
          "digraph \"g\" {\n  rankdir=LR;\n  node [shape=box, style=\"rounded,filled\"];\n"
          "  n0 [label=\"a\\nload\\nreuse, 2 s\", fillcolor=\"#d5e8d4\"];\n  n1 [label=\"b\\ntrain\", "
          "fillcolor=\"#f5f5f5\"];\n  n0 -> n1;\n}\n");
    CHECK(to_mermaid(graph) ==
          "flowchart LR\n    n0[\"a<br/>load<br/>reuse, 2 s\"]\n    style n0 fill:#d5e8d4,color:#000\n"
          "    n1[\"b<br/>train\"]\n    n0 --> n1\n");
}

TEST_CASE("names mean nothing to the format in which they are drawn") {
    Diagram graph;
    graph.nodes = {{"<script>\"\\'&\x1b#`", "k", "\" onload=x", ""}};
    CHECK_THAT(to_dot(graph, "a\"b"), Contains(R"(digraph "a\"b")") && Contains(R"([label="<script>\"\\'&\\x1b#`\nk)"));
    CHECK_THAT(to_mermaid(graph), Contains("#lt;script#gt;#quot;\\'#amp;\\x1b#35;#96;"));
    const std::string svg = to_svg(graph, "</title>");
    CHECK_THAT(svg, Contains("&lt;script&gt;&quot;\\&#39;&amp;\\x1b") && Contains("<title>&lt;/title&gt;</title>") &&
                        !Contains("<script>") && !Contains("\" onload"));
}

TEST_CASE("boxes are in columns after their inputs and never overlap") {
    const Diagram graph = diamond();
    const DiagramLayout layout = layout_of(graph, {90, 120, 100, 90});
    REQUIRE(layout.boxes.size() == 4);
    CHECK(layout.boxes[1].x == layout.boxes[2].x);
    for (std::size_t i = 0; i < graph.edges.size(); ++i) {
        const auto& from = layout.boxes[graph.edges[i].from];
        const auto& to = layout.boxes[graph.edges[i].to];
        CHECK(from.x + from.width < to.x);
        CHECK(layout.lines[i].front().x == from.x + from.width);
        CHECK(layout.lines[i].back().x == to.x);
    }
    CHECK(layout.lines[4].size() == 4);  // a -> d passes the column of b and c
    const double passes = layout.lines[4][1].y;
    for (const auto& box : layout.boxes) {
        CHECK((box.x >= 0 && box.y >= 0 && box.x + box.width <= layout.width && box.y + box.height <= layout.height));
        if (box.x == layout.boxes[1].x) CHECK((passes < box.y || passes > box.y + box.height));
        for (const auto& other : layout.boxes)
            if (&other != &box && other.x == box.x)
                CHECK((other.y + other.height < box.y || other.y > box.y + box.height));
    }
}

TEST_CASE("long arrows of one node pass a column together, those of two nodes apart") {
    Diagram graph = diamond();
    graph.nodes.push_back({"e", "kind", "", ""});
    graph.edges = {{0, 1}, {1, 2}, {0, 2}, {2, 3}, {0, 3}, {3, 4}, {1, 4}};  // a, b, c, d, e in a row
    const DiagramLayout layout = layout_of(graph, std::vector<double>(5, 90.0));
    const auto& to_c = layout.lines[2];
    const auto& to_d = layout.lines[4];
    const auto& of_b = layout.lines[6];
    CHECK(to_c[1].y == to_d[1].y);            // in the column of b
    CHECK(std::abs(to_d[3].y - of_b[1].y) >= 10);  // in the column of c
}

TEST_CASE("the gap between columns is the caller's, and lines curve across it") {
    const Diagram graph = diamond();
    const std::vector<double> widths{90, 120, 100, 90};
    const DiagramLayout layout = layout_of(graph, widths, 20);
    CHECK(layout.boxes[1].x - (layout.boxes[0].x + 90) == 20);
    CHECK(layout.boxes[3].x - (layout.boxes[1].x + 120) == 20);
    CHECK(svg_path({{0, 0}, {20, 10}}) == "M0.0 0.0C10.0 0.0 10.0 10.0 20.0 10.0");
    CHECK(svg_path({{0, 0}, {20, 10}, {50, 10}, {70, 0}}).find("L50.0 10.0C") != std::string::npos);
}

TEST_CASE("an empty graph, one node and a wide sweep are drawn") {
    CHECK_THAT(to_svg({}, "empty"), Contains("<svg") && Contains("</svg>"));
    Diagram wide;
    wide.nodes.push_back({"first", "k", "", ""});
    for (std::size_t i = 1; i <= 300; ++i) {
        wide.nodes.push_back({fmt::format("n{}", i), "k", "ran", "1 s"});
        wide.edges.push_back({0, i});
    }
    const std::string svg = to_svg(wide, "wide");
    CHECK(svg == to_svg(wide, "wide"));
    CHECK_THAT(svg, Contains("dag-node dag-ran") && Contains(">n300<"));
}
