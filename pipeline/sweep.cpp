#include "pipeline/sweep.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <set>
#include <unordered_map>

namespace satdl {
namespace {

constexpr std::size_t kMostPoints = 10'000;
constexpr std::size_t kLongestLabel = 40;  // of one value in a node's name
constexpr std::size_t kLongestName = 200;  // names become names of files
constexpr NodeId kNone = std::numeric_limits<NodeId>::max();

[[noreturn]] void refuse(const Place& place, std::string message, std::string hint) {
    throw Error(ExitCode::Usage, std::vector<Diagnostic>{Diagnostic{place, std::move(message), std::move(hint)}});
}

// Where an axis is written: its text on the command line begins with its name.
Place place_of(const SweepAxis& axis) {
    Place place = axis.values.empty() ? Place{} : axis.values.front().place();
    if (place && place.source->name == "--sweep") place.column = 1;
    return place;
}

void check_axes(const DagSource& source, const Settings& settings, const std::vector<SweepAxis>& axes) {
    std::vector<std::string> known;
    for (const auto& [name, value] : source.parameters(settings)) known.push_back(name);
    std::set<std::string> seen;
    std::size_t points = 1;
    for (const SweepAxis& axis : axes) {
        const std::string name = printable(axis.name);
        if (std::find(known.begin(), known.end(), axis.name) == known.end())
            refuse(place_of(axis), fmt::format("there is no parameter '{}' to sweep", name),
                   known.empty() ? "it must stand under 'params'" : did_you_mean(axis.name, known));
        if (!seen.insert(axis.name).second) refuse(place_of(axis), fmt::format("'{}' is swept twice", name), {});
        points *= axis.values.size();
        if (points == 0) refuse({}, fmt::format("'{}' has no values to sweep", name), {});
        if (points > kMostPoints) refuse(place_of(axis), fmt::format("this sweep has over {} points", kMostPoints), {});
    }
}

std::string text_of(const Value& value) {
    return value.is_scalar() ? value.text() : value.canonical();
}

// Every point as the position of its value on each axis, the last axis fastest.
std::vector<std::vector<std::size_t>> product(const std::vector<SweepAxis>& axes) {
    std::vector<std::vector<std::size_t>> points{{}};
    for (const SweepAxis& axis : axes) {
        std::vector<std::vector<std::size_t>> longer;
        longer.reserve(points.size() * axis.values.size());
        for (const auto& point : points) {
            for (std::size_t i = 0; i < axis.values.size(); ++i) {
                longer.push_back(point);
                longer.back().push_back(i);
            }
        }
        points = std::move(longer);
    }
    return points;
}

// What makes two nodes of one name the same node: all that a key is made of, with merged nodes for the inputs' content.
std::string signature(const Node& node, const std::vector<NodeId>& merged) {
    std::string text = node.name + "\n" + node.stage->description.kind + "\n";
    for (const auto& [name, value] : node.params.values()) {
        const ParamDescription* param = node.stage->description.param(name);
        if (!param || param->changes_result) text += fmt::format("{}={}\n", name, value.canonical());
    }
    for (const SourceFile& file : node.files) text += fmt::format("{} {:?}\n", file.role, file.path.string());
    for (const Input& input : node.inputs)
        text += fmt::format("{}<{}.{}\n", input.port, merged[input.from], input.from_port);
    return text;
}

// Lays the DAGs of the points over each other.
class Merger {
public:
    // The nodes of this point's DAG as nodes of the merged one.
    std::vector<NodeId> add(Dag dag) {
        std::vector<NodeId> merged(dag.nodes.size(), kNone);
        for (NodeId id = 0; id < dag.nodes.size(); ++id) {
            Node& node = dag.nodes[id];
            const auto [found, is_new] = by_signature_.emplace(signature(node, merged), nodes_.size());
            merged[id] = found->second;
            if (!is_new) continue;
            for (Input& input : node.inputs) input.from = merged[input.from];
            nodes_.push_back(std::move(node));
            positions_.push_back(id);
        }
        for (const auto& [group, members] : dag.groups)
            for (const NodeId member : members) groups_[group].insert(merged[member]);
        dag.nodes.clear();
        frame_ = std::move(dag);
        return merged;
    }

    std::vector<Node>& nodes() { return nodes_; }
    void add_to_group(const std::string& group, NodeId node) { groups_[group].insert(node); }

    // The merged DAG, stage by stage in the order of the YAML; renumbers the points.
    Dag finish(std::vector<SweepPoint>& points) {
        std::vector<NodeId> by_position(nodes_.size());
        std::iota(by_position.begin(), by_position.end(), NodeId{0});
        std::stable_sort(by_position.begin(), by_position.end(),
                         [&](NodeId a, NodeId b) { return positions_[a] < positions_[b]; });
        Dag dag = std::move(frame_);
        dag.groups.clear();
        for (const auto& [group, members] : groups_) dag.groups[group].assign(members.begin(), members.end());
        dag.nodes = std::move(nodes_);
        renumber(dag, points, by_position);
        Diagnostics none;
        const std::vector<NodeId> order = topological_order(dag, none);
        SATDL_CHECK(order.size() == dag.nodes.size(), "no point has a cycle, and so nor has the merged DAG");
        renumber(dag, points, order);
        return dag;
    }

private:
    static void renumber(Dag& dag, std::vector<SweepPoint>& points, const std::vector<NodeId>& order) {
        std::vector<NodeId> renumbered(order.size());
        for (NodeId id = 0; id < order.size(); ++id) renumbered[order[id]] = id;
        for (SweepPoint& point : points)
            for (NodeId& node : point.nodes) node = renumbered[node];
        dag = chosen(std::move(dag), order);
    }

    Dag frame_;  // all but nodes and groups
    std::vector<Node> nodes_;
    std::vector<NodeId> positions_;  // in the single DAG in which each came up first
    std::map<std::string, std::set<NodeId>> groups_;
    std::unordered_map<std::string, NodeId> by_signature_;
};

// One stage of the single DAG over all points.
struct Variants {
    std::vector<NodeId> at_point;  // the merged node; kNone where the point has no such stage
    std::set<NodeId> nodes;
};

// Whether the stage's node changes along the axis with this stride (the number of points between neighbours on it).
bool varies(const Variants& stage, std::size_t stride, std::size_t length) {
    for (std::size_t point = 0; point < stage.at_point.size(); ++point) {
        const std::size_t along = point / stride % length;
        if (along > 0 && stage.at_point[point] != stage.at_point[point - stride]) return true;
    }
    return false;
}

// What the values of an axis are called in names: their text, where that is short and tells them apart, else #1, #2, ...
std::vector<std::string> labels(const SweepAxis& axis) {
    const auto is_plain = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
               c == '+' || c == '-';
    };
    std::set<std::string> seen;
    std::vector<std::string> all;
    for (const Value& value : axis.values) {
        std::string text = text_of(value);
        const bool is_good =
            !text.empty() && text.size() <= kLongestLabel && std::all_of(text.begin(), text.end(), is_plain);
        if (!is_good || !seen.insert(text).second) text = fmt::format("#{}", all.size() + 1);
        all.push_back(fmt::format("{}={}", axis.name, text));
    }
    return all;
}

struct Grid {
    std::vector<std::vector<std::size_t>> points;  // see product()
    std::vector<std::vector<std::string>> labels;  // by axis
};

// Gives the nodes of a stage that has several the parameters that it varies with.
void name_variants(const std::string& name, const Variants& stage, const Grid& grid, Merger& merger) {
    std::vector<std::size_t> chosen_axes;
    std::size_t stride = 1;
    for (std::size_t axis = grid.labels.size(); axis-- > 0; stride *= grid.labels[axis].size())
        if (varies(stage, stride, grid.labels[axis].size())) chosen_axes.insert(chosen_axes.begin(), axis);
    std::set<NodeId> named;
    for (std::size_t point = 0; point < grid.points.size(); ++point) {
        const NodeId node = stage.at_point[point];
        if (node == kNone || !named.insert(node).second) continue;
        std::string settings;
        for (const std::size_t axis : chosen_axes)
            settings += (settings.empty() ? "" : ",") + grid.labels[axis][grid.points[point][axis]];
        if (name.size() + settings.size() > kLongestName) settings = fmt::format("#{}", point + 1);
        merger.nodes()[node].name = fmt::format("{}[{}]", name, settings);
        merger.add_to_group(name, node);
    }
}

// The DAG at one point; a mistake that only the sweep's values make is told with them.
Dag build_point(const DagSource& source, const Settings& settings, const SweepPoint& point, const Catalog& catalog,
                const DatasetIndex& datasets) {
    try {
        return source.build(settings, catalog, datasets);
    } catch (const Error& error) {
        std::string where;
        for (const auto& [name, text] : point.values)
            where += fmt::format("{}{}={}", where.empty() ? "" : ", ", name, printable(text));
        std::vector<Diagnostic> told = error.diagnostics();
        if (!where.empty())
            for (Diagnostic& one : told)
                one.hint += fmt::format("{}at the sweep's point {}", one.hint.empty() ? "" : "\n", where);
        throw Error(error.code(), std::move(told));
    }
}

}  // namespace

Sweep make_sweep(const DagSource& source, const Settings& settings, const std::vector<SweepAxis>& axes,
                 const Catalog& catalog, const DatasetIndex& datasets) {
    check_axes(source, settings, axes);
    Sweep sweep;
    sweep.axes = axes;
    Grid grid{product(axes), {}};
    for (const SweepAxis& axis : axes) grid.labels.push_back(labels(axis));
    Merger merger;
    std::map<std::string, Variants> stages;
    for (std::size_t i = 0; i < grid.points.size(); ++i) {
        SweepPoint& point = sweep.points.emplace_back();
        Settings here = settings;
        for (std::size_t axis = 0; axis < axes.size(); ++axis) {
            const Value& value = axes[axis].values[grid.points[i][axis]];
            here.set.emplace_back(axes[axis].name, value);
            point.values.emplace_back(axes[axis].name, text_of(value));
        }
        Dag dag = build_point(source, here, point, catalog, datasets);
        for (const Node& node : dag.nodes) point.names.push_back(node.name);
        point.nodes = merger.add(std::move(dag));
        for (std::size_t k = 0; k < point.nodes.size(); ++k) {
            Variants& stage = stages[point.names[k]];
            stage.at_point.resize(grid.points.size(), kNone);
            stage.at_point[i] = point.nodes[k];
            stage.nodes.insert(point.nodes[k]);
        }
    }
    for (const auto& [name, stage] : stages)
        if (stage.nodes.size() > 1) name_variants(name, stage, grid, merger);
    sweep.dag = merger.finish(sweep.points);
    return sweep;
}

}  // namespace satdl
