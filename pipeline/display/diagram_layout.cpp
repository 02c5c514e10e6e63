#include "pipeline/display/diagram_layout.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

namespace satdl {
namespace {

constexpr double kBoxHeight = 44, kLineHeight = 10;       // of a node; of an arrow that passes through a column
constexpr double kRowGap = 14, kLineGap = 4, kMargin = 12;  // above and below a box; between two arrows
constexpr int kSweeps = 8;
constexpr std::size_t kMaxPlaces = 20'000;  // beyond, arrows that skip columns are drawn straight

// A node, or the place of a long arrow in a column.
struct Item {
    std::size_t column = 0;
    double height = kBoxHeight;
    double y = 0;  // of its middle
    std::vector<std::size_t> before, after;  // neighbours
};

class Layered {
public:
    Layered(const Diagram& graph, const std::vector<double>& widths, double column_gap)
        : graph_(graph), widths_(widths), column_gap_(column_gap) {
        items_.resize(graph.nodes.size());
        for (const Diagram::Edge& edge : graph.edges)
            items_[edge.to].column = std::max(items_[edge.to].column, items_[edge.from].column + 1);
        std::size_t skipped = 0;
        for (const Diagram::Edge& edge : graph.edges) skipped += items_[edge.to].column - items_[edge.from].column - 1;
        for (const Diagram::Edge& edge : graph.edges) add_route(edge, skipped <= kMaxPlaces);
        for (std::size_t i = 0; i < items_.size(); ++i) {
            if (columns_.size() <= items_[i].column) columns_.resize(items_[i].column + 1);
            columns_[items_[i].column].push_back(i);
        }
    }

    DiagramLayout layout() {
        for (auto& column : columns_) stack(column);
        for (int sweep = 0; sweep < kSweeps; ++sweep) {
            for (std::size_t c = 1; c < columns_.size(); ++c) settle(columns_[c], &Item::before);
            for (std::size_t c = columns_.size(); c-- > 1;) settle(columns_[c - 1], &Item::after);
        }
        return placed();
    }

private:
    void add_route(const Diagram::Edge& edge, bool with_places) {
        std::vector<std::size_t> way{edge.from};
        for (std::size_t c = items_[edge.from].column + 1; with_places && c < items_[edge.to].column; ++c) {
            const auto [place, is_new] = places_.emplace(std::pair(edge.from, c), items_.size());
            if (is_new) {
                items_.push_back({c, kLineHeight, 0, {}, {}});
                connect(way.back(), place->second);
            }
            way.push_back(place->second);
        }
        connect(way.back(), edge.to);
        way.push_back(edge.to);
        routes_.push_back(std::move(way));
    }

    void connect(std::size_t from, std::size_t to) {
        items_[from].after.push_back(to);
        items_[to].before.push_back(from);
    }

    bool is_box(std::size_t item) const { return item < graph_.nodes.size(); }

    double distance(std::size_t above, std::size_t below) const {
        return (items_[above].height + items_[below].height) / 2 + (is_box(above) || is_box(below) ? kRowGap : kLineGap);
    }

    void stack(const std::vector<std::size_t>& column) {
        for (std::size_t i = 1; i < column.size(); ++i)
            items_[column[i]].y = items_[column[i - 1]].y + distance(column[i - 1], column[i]);
    }

    // Sorts a column's items by the mean position of their neighbours and moves them there, as far as their heights allow.
    void settle(std::vector<std::size_t>& column, const std::vector<std::size_t> Item::*neighbours) {
        wanted_.resize(items_.size());
        for (const std::size_t one : column) {
            const auto& near = items_[one].*neighbours;
            const double sum = std::accumulate(near.begin(), near.end(), 0.0,
                                               [&](double total, std::size_t other) { return total + items_[other].y; });
            wanted_[one] = near.empty() ? items_[one].y : sum / static_cast<double>(near.size());
        }
        std::ranges::stable_sort(column, {}, [&](std::size_t one) { return wanted_[one]; });
        double shift = 0;
        for (std::size_t i = 0; i < column.size(); ++i) {
            Item& item = items_[column[i]];
            item.y = wanted_[column[i]];
            if (i > 0) item.y = std::max(item.y, items_[column[i - 1]].y + distance(column[i - 1], column[i]));
            shift += item.y - wanted_[column[i]];
        }
        for (const std::size_t one : column) items_[one].y -= shift / static_cast<double>(column.size());
    }

    DiagramLayout placed() const {
        DiagramLayout layout;
        std::vector<double> width(columns_.size()), left(columns_.size());
        for (std::size_t i = 0; i < graph_.nodes.size(); ++i)
            width[items_[i].column] = std::max(width[items_[i].column], widths_[i]);
        double x = kMargin, top = 0;
        for (std::size_t c = 0; c < columns_.size(); ++c) {
            left[c] = x;
            x += width[c] + column_gap_;
        }
        for (const Item& item : items_) top = std::min(top, item.y - item.height / 2);
        for (const Item& item : items_) layout.height = std::max(layout.height, item.y - top + item.height / 2 + 2 * kMargin);
        layout.width = columns_.empty() ? 2 * kMargin : x - column_gap_ + kMargin;
        const auto middle = [&](const Item& item) { return item.y - top + kMargin; };
        for (std::size_t i = 0; i < graph_.nodes.size(); ++i)
            layout.boxes.push_back(
                {left[items_[i].column], middle(items_[i]) - kBoxHeight / 2, width[items_[i].column], kBoxHeight});
        for (const auto& way : routes_) {
            auto& line = layout.lines.emplace_back();
            for (std::size_t i = 0; i < way.size(); ++i) {
                const Item& item = items_[way[i]];
                if (i > 0) line.push_back({left[item.column], middle(item)});
                if (i + 1 < way.size()) line.push_back({left[item.column] + width[item.column], middle(item)});
            }
        }
        return layout;
    }

    const Diagram& graph_;
    const std::vector<double>& widths_;
    const double column_gap_;
    std::vector<Item> items_;  // the nodes, then the places of long arrows
    std::map<std::pair<std::size_t, std::size_t>, std::size_t> places_;  // (node that arrows come from, column) -> item
    std::vector<std::vector<std::size_t>> columns_;
    std::vector<std::vector<std::size_t>> routes_;  // by edge: the items that it passes
    std::vector<double> wanted_;  // by item: where settle() would have its middle
};

}  // namespace

DiagramLayout layout_of(const Diagram& graph, const std::vector<double>& widths, double column_gap) {
    return Layered(graph, widths, column_gap).layout();
}

}  // namespace satdl
