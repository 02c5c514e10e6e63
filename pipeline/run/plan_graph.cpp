#include "pipeline/run/plan_graph.h"

#include <algorithm>
#include <limits>

namespace satdl {
namespace {

constexpr std::size_t kNowhere = std::numeric_limits<std::size_t>::max();
// A stage without history counts as a second, so that at least the number of stages below it counts.
constexpr double kUnknownSeconds = 1;

}  // namespace

PlanGraph::PlanGraph(const Dag& dag, const Plan& plan) : links_(plan.nodes.size()), position_of_(dag.nodes.size(), kNowhere) {
    for (std::size_t position = 0; position < plan.nodes.size(); ++position) {
        const PlannedNode& planned = plan.nodes[position];
        position_of_[planned.node] = position;
        Links& links = links_[position];
        links.may_run = may_run(planned.action);
        for (const Input& input : dag.nodes[planned.node].inputs) {
            const std::size_t from = position_of_[input.from];
            if (from == kNowhere || std::ranges::find(links.producers, from) != links.producers.end()) continue;
            links.producers.push_back(from);
            links_[from].consumers.push_back(position);
        }
    }
    for (std::size_t position = links_.size(); position-- > 0;) {
        Links& links = links_[position];
        for (const std::size_t consumer : links.consumers) {
            links.remaining_seconds = std::max(links.remaining_seconds, links_[consumer].remaining_seconds);
        }
        if (links.may_run) links.remaining_seconds += plan.nodes[position].expected_seconds.value_or(kUnknownSeconds);
    }
}

std::size_t PlanGraph::position_of(NodeId node) const {
    SATDL_CHECK(position_of_[node] != kNowhere, "with every node that may run, a plan has its ancestors");
    return position_of_[node];
}

std::vector<std::size_t> PlanGraph::users() const {
    std::vector<std::size_t> users;
    for (const Links& links : links_) {
        users.push_back(static_cast<std::size_t>(
            std::ranges::count_if(links.consumers, [this](std::size_t consumer) { return links_[consumer].may_run; })));
    }
    return users;
}

Cohorts by_position(const Cohorts& cohorts, const Plan& plan) {
    Cohorts positions;
    if (cohorts.empty()) return positions;
    for (const PlannedNode& planned : plan.nodes) positions.push_back(cohorts[planned.node]);
    return positions;
}

}  // namespace satdl
