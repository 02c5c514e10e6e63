#include "report/run_diagram.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "pipeline/core/json.h"
#include "pipeline/display/diagram_layout.h"
#include "pipeline/display/diagram_svg.h"
#include "pipeline/display/text_format.h"

namespace satdl {

namespace {

// A letter of a box's name is at most about so wide, in bold DejaVu Sans (style.css, .box .name): other fonts leave some room.
constexpr double kCharacter = 8.6, kPadding = 28, kNarrowest = 136;  // pixels
constexpr int kLongestLabel = 18;                                   // characters
constexpr double kColumnGap = 36;                                   // pixels: the page is narrow

struct Box {
    std::string name;
    std::vector<std::size_t> stages;
    std::set<std::size_t> from;  // boxes that it reads
};

std::vector<Box> boxes_of(const RunFacts& run) {
    std::vector<Box> boxes;
    std::map<std::string, std::size_t> box_of;
    const auto name_of = [&](const std::string& stage) { return run.stages.size() > kMaxBoxes ? plain_name(stage) : stage; };
    for (std::size_t i = 0; i < run.stages.size(); ++i) {
        const std::string name = name_of(run.stages[i].name);
        const auto [found, is_new] = box_of.emplace(name, boxes.size());
        if (is_new) boxes.push_back({name, {}, {}});
        boxes[found->second].stages.push_back(i);
    }
    for (const StageFacts& stage : run.stages) {
        const std::size_t box = box_of.at(name_of(stage.name));
        for (const Reads& reads : stage.inputs) {
            const auto from = box_of.find(name_of(reads.from));
            if (from != box_of.end() && from->second != box) boxes[box].from.insert(from->second);
        }
    }
    return boxes;
}

// The boxes in topological order, which a layout requires. Stages of a record are in that order, but boxes of several stages may not be,
// and may even read each other, since the points of a sweep may read different stages: an edge that closes a cycle is left out.
class Order {
public:
    explicit Order(std::vector<Box>& boxes) : boxes_(boxes), state_(boxes.size(), State::New) {
        for (std::size_t box = 0; box < boxes.size(); ++box) visit(box);
    }
    [[nodiscard]] const std::vector<std::size_t>& order() const { return order_; }

private:
    enum class State { New, Open, Done };

    void visit(std::size_t box) {
        if (state_[box] != State::New) return;
        state_[box] = State::Open;
        std::erase_if(boxes_[box].from, [&](std::size_t from) { return state_[from] == State::Open; });
        for (const std::size_t from : boxes_[box].from) visit(from);
        state_[box] = State::Done;
        order_.push_back(box);
    }

    std::vector<Box>& boxes_;
    std::vector<State> state_;
    std::vector<std::size_t> order_;
};

std::string label_of(const Box& box) {
    const std::string count = box.stages.size() > 1 ? fmt::format(" ×{}", box.stages.size()) : "";
    return fitted(printable(box.name), kLongestLabel - display_width(count)) + count;
}

double rounded(double pixels) { return std::round(pixels * 10) / 10; }

}  // namespace

Json run_diagram(const RunFacts& run) {
    std::vector<Box> boxes = boxes_of(run);
    const Order order(boxes);
    Diagram diagram;
    std::vector<double> widths;
    std::vector<std::size_t> position(boxes.size());  // in the diagram
    for (const std::size_t box : order.order()) {
        position[box] = diagram.nodes.size();
        diagram.nodes.push_back({label_of(boxes[box]), "", "", ""});
        widths.push_back(std::max(kNarrowest, kCharacter * display_width(diagram.nodes.back().name) + kPadding));
        for (const std::size_t from : boxes[box].from) diagram.edges.push_back({position[from], position[box]});
    }
    const DiagramLayout layout = layout_of(diagram, widths, kColumnGap);
    Json json = {{"width", rounded(layout.width)}, {"height", rounded(layout.height)}, {"boxes", Json::array()}, {"edges", Json::array()}};
    for (std::size_t i = 0; i < diagram.nodes.size(); ++i) {
        const DiagramLayout::Box& place = layout.boxes[i];
        json["boxes"].push_back({{"label", diagram.nodes[i].name},
                                 {"stages", boxes[order.order()[i]].stages},
                                 {"x", rounded(place.x)},
                                 {"y", rounded(place.y)},
                                 {"width", rounded(place.width)},
                                 {"height", rounded(place.height)}});
    }
    for (std::size_t i = 0; i < diagram.edges.size(); ++i) {
        json["edges"].push_back(
            {{"from", diagram.edges[i].from}, {"to", diagram.edges[i].to}, {"path", svg_path(layout.lines[i])}});
    }
    return json;
}

}  // namespace satdl
