// Who waits for whom among the nodes of a plan, and how far it is from each to the end of the run.
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
        bool may_run = false;                // Run or Unknown: it may want its producers' outcomes
        double remaining_seconds = 0;        // expected, of the longest path from its start on
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

// `cohorts` by position in the plan, given by NodeId; none where there are none.
[[nodiscard]] Cohorts by_position(const Cohorts& cohorts, const Plan& plan);

}  // namespace satdl
