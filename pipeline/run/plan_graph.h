// The edges between the nodes of a plan, and how long the rest of the run takes from each node.
#pragma once

#include <cstddef>
#include <vector>

#include "pipeline/plan/plan.h"
#include "pipeline/run/admission.h"

namespace satdl {

class PlanGraph {
public:
    PlanGraph(const Dag& dag, const Plan& plan);

    struct Links {  // positions in the plan
        std::vector<std::size_t> producers;  // each once
        std::vector<std::size_t> consumers;  // each once
        bool may_run = false;                // Run or Unknown: it may need its producers' outputs
        double remaining_seconds = 0;        // expected, of the longest path from its start to the end of the run
    };
    [[nodiscard]] std::size_t count() const { return links_.size(); }
    [[nodiscard]] const Links& operator[](std::size_t position) const { return links_[position]; }
    // Precondition: the plan has the node.
    [[nodiscard]] std::size_t position_of(NodeId node) const;
    // By position: consumers that may run.
    [[nodiscard]] std::vector<std::size_t> users() const;

private:
    std::vector<Links> links_;
    std::vector<std::size_t> position_of_;  // by NodeId
};

// `cohorts`, which is by NodeId, by position in the plan; empty if it is empty.
[[nodiscard]] Cohorts by_position(const Cohorts& cohorts, const Plan& plan);

}  // namespace satdl
