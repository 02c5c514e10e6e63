#include "pipeline/plan/selection.h"

#include <fmt/format.h>

namespace satdl {
namespace {

using Ids = std::vector<NodeId>;

Ids resolve(const Dag& dag, const std::vector<std::string>& names, Diagnostics& diagnostics) {
    Ids ids;
    for (const std::string& name : names) {
        if (const auto group = dag.groups.find(name); group != dag.groups.end()) {
            ids.insert(ids.end(), group->second.begin(), group->second.end());
        } else if (const Node* node = dag.find(name)) {
            ids.push_back(static_cast<NodeId>(node - dag.nodes.data()));
        } else {
            diagnostics.add({}, fmt::format("there is no stage '{}' in {}", printable(name), dag.name),
                            did_you_mean(name, dag.names()));
        }
    }
    return ids;
}

std::vector<bool> marked(const Dag& dag, const Ids& ids) {
    std::vector<bool> marks(dag.nodes.size());
    for (const NodeId id : ids) marks[id] = true;
    return marks;
}

// The nodes' order makes one pass enough, in either direction.
void add_ancestors(const Dag& dag, std::vector<bool>& marks) {
    for (NodeId id = dag.nodes.size(); id-- > 0;) {
        if (!marks[id]) continue;
        for (const Input& input : dag.nodes[id].inputs) marks[input.from] = true;
    }
}

void add_descendants(const Dag& dag, std::vector<bool>& marks) {
    for (NodeId id = 0; id < dag.nodes.size(); ++id) {
        for (const Input& input : dag.nodes[id].inputs) {
            if (marks[input.from]) marks[id] = true;
        }
    }
}

}  // namespace

Selection select(const Dag& dag, const Request& request) {
    Diagnostics diagnostics;
    const Ids targets = resolve(dag, request.targets, diagnostics);
    const Ids single = resolve(dag, request.single, diagnostics);
    const Ids downstream = resolve(dag, request.downstream, diagnostics);
    diagnostics.throw_if_any();
    const std::size_t count = dag.nodes.size();
    if (request.targets.empty() && request.single.empty() && request.downstream.empty()) {
        return {std::vector<Part>(count, Part::Included), std::vector<bool>(count, request.force)};
    }

    std::vector<bool> whole = marked(dag, downstream);
    add_descendants(dag, whole);
    for (const NodeId id : targets) whole[id] = true;
    add_ancestors(dag, whole);
    const std::vector<bool> alone = marked(dag, single);
    std::vector<bool> sources = alone;
    add_ancestors(dag, sources);

    Selection selection{std::vector<Part>(count, Part::Excluded), std::vector<bool>(count, false)};
    for (NodeId id = 0; id < count; ++id) {
        if (whole[id] || alone[id]) selection.parts[id] = Part::Included;
        else if (sources[id]) selection.parts[id] = Part::ReadOnly;
    }
    for (const Ids* named : {&targets, &single, &downstream}) {
        for (const NodeId id : *named) selection.forced[id] = request.force;
    }
    return selection;
}

}  // namespace satdl
