#include "pipeline/sweep/sweep.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <map>
#include <numeric>
#include <set>
#include <unordered_map>

#include "pipeline/core/ascii.h"
#include "pipeline/core/digest.h"
#include "pipeline/dag_file/stage_settings.h"

namespace satdl {
namespace {

constexpr std::size_t kLongestLabel = 40;  // of one value in a node's name
constexpr std::size_t kLongestPart = 24;   // of a value that is longer, or has other characters than these:
constexpr std::string_view kPlain = "_.+-";
constexpr std::size_t kLongestName = 200;  // names become names of files
constexpr NodeId kNone = std::numeric_limits<NodeId>::max();

void check_known(const DagSource& source, const Settings& settings, const std::vector<SweepAxis>& axes) {
    std::vector<std::string> known;
    for (const auto& [name, value] : source.parameters(settings)) known.push_back(name);
    Diagnostics mistakes;
    for (const SweepAxis& axis : axes)
        if (std::ranges::find(known, axis.name) == known.end() && !is_of_stage(axis.name, source.document()))
            mistakes.add(axis.place, fmt::format("there is no parameter '{}' to sweep", printable(axis.name)),
                         known.empty() ? "declare it under 'params'" : did_you_mean(axis.name, known));
    mistakes.throw_if_any();
}

std::string text_of(const ConfigValue& value) {
    return value.is_scalar() ? value.text() : value.canonical();
}

// By point and axis: the position of the point's value in the axis.
using Positions = std::vector<std::vector<std::size_t>>;

Settings settings_at(const SweepDesign& design, const SweepDesign::Point& point, const Settings& settings) {
    Settings here = settings;
    for (std::size_t i = 0; i < design.axes.size(); ++i) {
        const SweepAxis& axis = design.axes[i];
        if (point.at[i]) here.set.push_back({axis.name, axis.place, {axis.values[*point.at[i]]}});
    }
    return here;
}

// "noise_factor=0.1, seed=2"
std::string text_of(const std::vector<SweepAxis>& axes, const std::vector<std::size_t>& point) {
    std::string text;
    for (std::size_t axis = 0; axis < axes.size(); ++axis)
        text += fmt::format("{}{}={}", axis == 0 ? "" : ", ", axes[axis].name, printable(text_of(axes[axis].values[point[axis]])));
    return text;
}

// The value of a parameter that a point does not set is looked up, and becomes a value of the axis, too.
Positions positions_of(const DagSource& source, const Settings& settings, const SweepDesign& design, std::vector<SweepAxis>& axes) {
    Positions points;
    std::set<std::vector<std::size_t>> seen;
    for (const SweepDesign::Point& point : design.points) {
        std::map<std::string, ConfigValue> parameters;
        if (std::ranges::any_of(point.at, [](const auto& at) { return !at; }))
            for (auto& [name, value] : source.parameters(settings_at(design, point, settings))) parameters.emplace(name, value);
        std::vector<std::size_t>& positions = points.emplace_back();
        for (std::size_t i = 0; i < axes.size(); ++i) {
            std::vector<ConfigValue>& values = axes[i].values;
            if (point.at[i]) {
                positions.push_back(*point.at[i]);
                continue;
            }
            const auto parameter = parameters.find(axes[i].name);
            if (parameter == parameters.end())
                refuse(point.place, fmt::format("a point of this sweep does not set '{}'", printable(axes[i].name)),
                       "only parameters under 'params' keep their value in such a point");
            const ConfigValue& value = parameter->second;
            const auto is_it = [&, text = value.canonical()](const ConfigValue& one) { return one.canonical() == text; };
            positions.push_back(static_cast<std::size_t>(std::ranges::find_if(values, is_it) - values.begin()));
            if (positions.back() == values.size()) values.push_back(value);
        }
        if (seen.insert(positions).second) continue;
        refuse(point.place, "two points of this sweep are equal", text_of(axes, positions));
    }
    return points;
}

// Nodes with equal signatures are the same node: everything that a key depends on, with merged nodes in place of the inputs' content.
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

// Merges the DAGs of the points.
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
            types_.push_back(std::move(dag.types[id]));
            positions_.push_back(id);
        }
        for (const auto& [group, members] : dag.groups)
            for (const NodeId member : members) groups_[group].insert(merged[member]);
        dag.nodes.clear();
        dag.types.clear();
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
        dag.types = std::move(types_);
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
        dag = subgraph(std::move(dag), order);
    }

    Dag frame_;  // all but nodes and groups
    std::vector<Node> nodes_;
    std::vector<NodeTypes> types_;   // by node: equal nodes have equal types
    std::vector<NodeId> positions_;  // in the single DAG in which each came up first
    std::map<std::string, std::set<NodeId>> groups_;
    std::unordered_map<std::string, NodeId> by_signature_;
};

// One stage of the single DAG over all points.
struct Variants {
    std::vector<NodeId> at_point;  // the merged node; kNone where the point has no such stage
    std::set<NodeId> nodes;
};

// What a name can hold of a longer or odder text, and a digest: "a/x.npy" becomes "a-x.npy~3f9a1b2c4d5e". The end of a text is what tells
// paths apart.
std::string shortened(std::string_view text, std::string_view digested) {
    std::string plain;
    for (const char c : text) {
        if (is_made_of(std::string_view(&c, 1), kPlain)) plain += c;
        else if (!plain.empty() && plain.back() != '-') plain += '-';
    }
    if (plain.size() > kLongestPart) plain.erase(0, plain.size() - kLongestPart);
    return fmt::format("{}~{}", plain, sha256(digested).short_hex());
}

// The values of an axis as they appear in names: their text if it is short, plain and unique. A name depends on the value alone, not on its
// place, so that it means the same in every sweep.
std::vector<std::string> labels(const SweepAxis& axis) {
    std::map<std::string, int> count;
    for (const ConfigValue& value : axis.values) ++count[text_of(value)];
    std::vector<std::string> all;
    for (const ConfigValue& value : axis.values) {
        std::string text = text_of(value);
        const bool is_good = text.size() <= kLongestLabel && is_made_of(text, kPlain) && count[text] == 1;
        all.push_back(fmt::format("{}={}", axis.name, is_good ? text : shortened(text, value.canonical())));
    }
    return all;
}

// By axis: the class of each point. Two points of the same class differ in that axis alone.
std::vector<std::vector<std::size_t>> neighbours(const Positions& points, std::size_t axes) {
    std::vector<std::vector<std::size_t>> classes(axes);
    for (std::size_t axis = 0; axis < axes; ++axis) {
        std::map<std::vector<std::size_t>, std::size_t> found;
        for (std::vector<std::size_t> point : points) {
            point[axis] = 0;
            classes[axis].push_back(found.emplace(std::move(point), found.size()).first->second);
        }
    }
    return classes;
}

struct Grid {
    Positions points;
    std::vector<std::vector<std::string>> labels;      // by axis
    std::vector<std::vector<std::size_t>> neighbours;  // see neighbours()
};

// Whether a stage varies with an axis, as far as the points show.
enum class Varies { No, Yes, Unknown };  // Unknown: no two points differ in this axis alone

Varies varies(const Variants& stage, const std::vector<std::size_t>& classes) {
    std::unordered_map<std::size_t, NodeId> node_of;
    Varies found = Varies::Unknown;
    for (std::size_t point = 0; point < classes.size(); ++point) {
        const auto [first, is_new] = node_of.emplace(classes[point], stage.at_point[point]);
        if (is_new) continue;
        if (first->second != stage.at_point[point]) return Varies::Yes;
        found = Varies::No;
    }
    return found;
}

// Whether `axes` determine the node: points that agree on them have the same node.
bool distinguishes(const Variants& stage, const Positions& points, const std::vector<std::size_t>& axes) {
    std::map<std::vector<std::size_t>, NodeId> node_of;
    for (std::size_t point = 0; point < points.size(); ++point) {
        std::vector<std::size_t> at;
        for (const std::size_t axis : axes) at.push_back(points[point][axis]);
        if (node_of.emplace(std::move(at), stage.at_point[point]).first->second != stage.at_point[point]) return false;
    }
    return true;
}

// The axes that name the nodes of a stage: those that it varies with. If there are too few points for these to distinguish its nodes, also
// those that it may vary with; else all.
std::vector<std::size_t> naming_axes(const Variants& stage, const Grid& grid) {
    std::vector<std::size_t> sure, possible, all;
    for (std::size_t axis = 0; axis < grid.labels.size(); ++axis) {
        const Varies how = varies(stage, grid.neighbours[axis]);
        if (how == Varies::Yes) sure.push_back(axis);
        if (how != Varies::No) possible.push_back(axis);
        all.push_back(axis);
    }
    for (const auto& axes : {sure, possible})
        if (distinguishes(stage, grid.points, axes)) return axes;
    return all;
}

// Adds to the names of a stage's nodes the parameters that it varies with. Precondition: it has several.
void name_variants(const std::string& name, const Variants& stage, const Grid& grid, Merger& merger) {
    const std::vector<std::size_t> axes = naming_axes(stage, grid);
    std::set<NodeId> named;
    for (std::size_t point = 0; point < grid.points.size(); ++point) {
        const NodeId node = stage.at_point[point];
        if (node == kNone || !named.insert(node).second) continue;
        std::string settings;
        for (const std::size_t axis : axes)
            settings += (settings.empty() ? "" : ",") + grid.labels[axis][grid.points[point][axis]];
        if (name.size() + settings.size() > kLongestName) settings = shortened(settings, settings);
        merger.nodes()[node].name = fmt::format("{}[{}]", name, settings);
        merger.add_to_group(name, node);
    }
}

// Points of which the values differ in their quotes alone, and of which no stage reads those, would be one point twice.
void refuse_equal_points(const Sweep& sweep, const Positions& positions) {
    std::map<std::vector<std::string>, std::size_t> first_with;
    for (std::size_t point = 0; point < sweep.points.size(); ++point) {
        std::vector<std::string> texts;
        for (const auto& [axis, text] : sweep.points[point].values) texts.push_back(text);
        const auto [first, is_new] = first_with.emplace(std::move(texts), point);
        if (is_new || sweep.points[first->second].nodes != sweep.points[point].nodes) continue;
        const auto [one, other] = std::ranges::mismatch(positions[first->second], positions[point]);
        const SweepAxis& axis = sweep.axes[static_cast<std::size_t>(one - positions[first->second].begin())];
        const ConfigValue& value = axis.values[*other];
        refuse(value.place(), fmt::format("'{}' has one value twice: no stage tells {} from {}", printable(axis.name), value.describe(),
                                          axis.values[*one].describe()),
               "quotes make a text of a value, and do not make it another one");
    }
}

using PairOfPoints = std::pair<const SweepPoint*, const SweepPoint*>;

// The points that differ in this axis alone, each with the first of them.
std::vector<PairOfPoints> differing_in(const Sweep& sweep, std::size_t axis) {
    std::map<std::vector<std::string>, const SweepPoint*> first_with;  // by the values of the other axes
    std::vector<PairOfPoints> pairs;
    for (const SweepPoint& point : sweep.points) {
        std::vector<std::string> others;
        for (std::size_t i = 0; i < point.values.size(); ++i)
            if (i != axis) others.push_back(point.values[i].second);
        const auto [first, is_new] = first_with.emplace(std::move(others), &point);
        if (!is_new) pairs.emplace_back(first->second, &point);
    }
    return pairs;
}

// Whether two nodes with the same name differ, upstream aside, in nothing but their parameter `seed`.
bool differ_in_seed_alone(const Node& a, const Node& b) {
    if (a.stage != b.stage || a.inputs.size() != b.inputs.size()) return false;
    for (const auto& [name, value] : a.params.values())
        if (name != "seed" && value.canonical() != b.params.value(name).canonical()) return false;
    return std::ranges::equal(a.files, b.files, {}, &SourceFile::path, &SourceFile::path);
}

bool changes_seeds_alone(const Dag& dag, const PairOfPoints& pair) {
    if (pair.first->names != pair.second->names) return false;
    std::map<NodeId, NodeId> counterpart;
    for (std::size_t i = 0; i < pair.first->nodes.size(); ++i) counterpart.emplace(pair.first->nodes[i], pair.second->nodes[i]);
    const auto is_same_edge = [&](const Input& a, const Input& b) {
        return a.port == b.port && a.from_port == b.from_port && counterpart.at(a.from) == b.from;
    };
    return std::ranges::all_of(counterpart, [&](const auto& nodes) {
        const Node &a = dag.nodes[nodes.first], &b = dag.nodes[nodes.second];
        return differ_in_seed_alone(a, b) && std::ranges::equal(a.inputs, b.inputs, is_same_edge);
    });
}

// The DAG at one point; its mistakes are reported with the point.
Dag build_point(const DagSource& source, const Settings& settings, const std::string& where, const Catalog& catalog,
                const DatasetIndex& datasets, const ArrayTypeReader& array_type) {
    try {
        return source.build(settings, catalog, datasets, array_type);
    } catch (const Error& error) {
        std::vector<Diagnostic> diagnostics = error.diagnostics();
        if (!where.empty())
            for (Diagnostic& one : diagnostics)
                one.hint += fmt::format("{}at sweep point {}", one.hint.empty() ? "" : "\n", where);
        throw Error(error.code(), std::move(diagnostics));
    }
}

}  // namespace

std::vector<std::optional<std::size_t>> only_points(const Sweep& sweep) {
    std::vector<std::size_t> points_with(sweep.dag.nodes.size(), 0), last_with(sweep.dag.nodes.size(), 0);
    for (std::size_t point = 0; point < sweep.points.size(); ++point) {
        for (const NodeId node : sweep.points[point].nodes) {
            ++points_with[node];
            last_with[node] = point;
        }
    }
    std::vector<std::optional<std::size_t>> only(sweep.dag.nodes.size());
    for (NodeId node = 0; node < only.size(); ++node)
        if (points_with[node] == 1) only[node] = last_with[node];
    return only;
}

void mark_seeds(Sweep& sweep) {
    for (std::size_t axis = 0; axis < sweep.axes.size(); ++axis) {
        const std::vector<PairOfPoints> pairs = differing_in(sweep, axis);
        const auto is_changed = [](const PairOfPoints& pair) { return pair.first->nodes != pair.second->nodes; };
        if (std::ranges::any_of(pairs, is_changed) &&
            std::ranges::all_of(pairs, [&](const PairOfPoints& pair) { return changes_seeds_alone(sweep.dag, pair); }))
            sweep.axes[axis].repeats = true;
    }
}

void mark_unused_axes(Sweep& sweep, const std::function<bool(NodeId)>& runs) {
    const auto nodes_of = [&](const SweepPoint& point) {
        std::set<NodeId> nodes;
        std::ranges::copy_if(point.nodes, std::inserter(nodes, nodes.end()), runs);
        return nodes;
    };
    for (std::size_t axis = 0; axis < sweep.axes.size(); ++axis) {
        const std::vector<PairOfPoints> pairs = differing_in(sweep, axis);
        sweep.axes[axis].unused = !pairs.empty() && std::ranges::all_of(pairs, [&](const PairOfPoints& pair) {
            return nodes_of(*pair.first) == nodes_of(*pair.second);
        });
    }
}

Sweep make_sweep(const DagSource& source, const Settings& settings, const SweepDesign& design, const Catalog& catalog,
                 const DatasetIndex& datasets, const ArrayTypeReader& array_type) {
    check_known(source, settings, design.axes);
    Sweep sweep;
    sweep.axes = design.axes;
    Grid grid{positions_of(source, settings, design, sweep.axes), {}, {}};
    for (const SweepAxis& axis : sweep.axes) grid.labels.push_back(labels(axis));
    grid.neighbours = neighbours(grid.points, sweep.axes.size());
    Merger merger;
    std::map<std::string, Variants> stages;
    for (std::size_t i = 0; i < grid.points.size(); ++i) {
        SweepPoint& point = sweep.points.emplace_back();
        for (std::size_t axis = 0; axis < sweep.axes.size(); ++axis)
            point.values.emplace_back(sweep.axes[axis].name, text_of(sweep.axes[axis].values[grid.points[i][axis]]));
        Dag dag = build_point(source, settings_at(design, design.points[i], settings), text_of(sweep.axes, grid.points[i]), catalog,
                              datasets, array_type);
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
    refuse_equal_points(sweep, grid.points);
    return sweep;
}

}  // namespace satdl
