#include "pipeline/display/diagram_svg.h"

#include <fmt/format.h>

#include <algorithm>

#include "pipeline/core/ascii.h"
#include "pipeline/core/utf8.h"
#include "pipeline/core/xml.h"
#include "pipeline/display/text_format.h"

namespace satdl {
namespace {

constexpr int kLongestName = 40;  // characters shown; the whole name is the box's title
constexpr double kCharacter = 7.6, kPadding = 20, kNarrowest = 90;

constexpr const char* kStyle = R"(<style>
.dag{--dag-ink:#1f2328;--dag-faint:#59636e;--dag-line:#8c959f;--dag-box:#f6f8fa;--dag-good:#d8f0dd;--dag-new:#dbeafe;--dag-bad:#ffd9d6;font:13px system-ui,sans-serif}
@media (prefers-color-scheme:dark){.dag{--dag-ink:#e6edf3;--dag-faint:#9198a1;--dag-line:#656d76;--dag-box:#21262d;--dag-good:#173d25;--dag-new:#1c3558;--dag-bad:#5a1e1e}}
.dag-node rect{fill:var(--dag-box);stroke:var(--dag-line)}
.dag-reuse rect,.dag-reused rect{fill:var(--dag-good)}
.dag-run rect,.dag-ran rect{fill:var(--dag-new)}
.dag-failed rect,.dag-blocked rect{fill:var(--dag-bad)}
.dag-node text{fill:var(--dag-ink);text-anchor:middle}
.dag-node .dag-kind{fill:var(--dag-faint);font-size:11px}
.dag-edge{fill:none;stroke:var(--dag-line);stroke-width:1.3}
.dag-head{fill:var(--dag-line)}
</style>
)";

std::string escaped(std::string_view text) { return xml_text(printable(text)); }

std::string shown_name(const DiagramNode& node) { return fitted(printable(node.name), kLongestName); }

std::string second_line(const DiagramNode& node) {
    std::string line = node.kind;
    for (const std::string& more : {node.state, node.note})
        if (!more.empty()) line += " · " + more;
    return line;
}

// The state as part of a class's name: letters only.
std::string class_of(const DiagramNode& node) {
    if (node.state.empty() || !std::ranges::all_of(node.state, is_lower)) return "dag-node";
    return "dag-node dag-" + node.state;
}

std::string drawn(const DiagramNode& node, const DiagramLayout::Box& box) {
    const double middle = box.x + box.width / 2;
    return fmt::format(
        "<g class=\"{}\"><title>{}: {}</title><rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" rx=\"6\"/>"
        "<text x=\"{:.1f}\" y=\"{:.1f}\">{}</text><text class=\"dag-kind\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text></g>\n",
        class_of(node), escaped(node.name), escaped(second_line(node)), box.x, box.y, box.width, box.height,
        middle, box.y + 18, xml_text(shown_name(node)), middle, box.y + 34, escaped(second_line(node)));
}

// With a head at its end.
std::string drawn(const std::vector<DiagramLayout::Point>& line) {
    return fmt::format("<path class=\"dag-edge\" d=\"{}\"/><path class=\"dag-head\" d=\"M{:.1f} {:.1f}l-7 -3.5v7z\"/>\n", svg_path(line),
                       line.back().x, line.back().y);
}

}  // namespace

std::string svg_path(const std::vector<DiagramLayout::Point>& line) {
    std::string path = fmt::format("M{:.1f} {:.1f}", line.front().x, line.front().y);
    for (std::size_t i = 1; i < line.size(); ++i) {
        const auto& a = line[i - 1];
        const auto& b = line[i];
        const double half = (a.x + b.x) / 2;
        path += i % 2 == 1 ? fmt::format("C{:.1f} {:.1f} {:.1f} {:.1f} {:.1f} {:.1f}", half, a.y, half, b.y, b.x, b.y)
                           : fmt::format("L{:.1f} {:.1f}", b.x, b.y);
    }
    return path;
}

std::string to_svg(const Diagram& graph, const std::string& title) {
    std::vector<double> widths;
    for (const DiagramNode& node : graph.nodes) {
        const int letters = std::max(display_width(shown_name(node)), display_width(second_line(node)));
        widths.push_back(std::max(kNarrowest, kCharacter * letters + kPadding));
    }
    const DiagramLayout layout = layout_of(graph, widths);
    std::string svg = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"dag\" role=\"img\" viewBox=\"0 0 {0:.0f} {1:.0f}\" "
        "width=\"{0:.0f}\" height=\"{1:.0f}\">\n<title>{2}</title>\n{3}",
        layout.width, layout.height, escaped(title), kStyle);
    for (const auto& line : layout.lines) svg += drawn(line);
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) svg += drawn(graph.nodes[i], layout.boxes[i]);
    return svg + "</svg>\n";
}

}  // namespace satdl
