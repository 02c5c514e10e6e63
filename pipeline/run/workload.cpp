#include "pipeline/run/workload.h"

#include <algorithm>
#include <vector>

#include "pipeline/run/forecast.h"

namespace satdl {

Workload workload_of(const Sweep& sweep, const Plan& plan, const Limits& limits, int cores) {
    std::vector<std::size_t> points_with(sweep.dag.nodes.size(), 0);
    for (const SweepPoint& point : sweep.points) {
        for (const NodeId node : point.nodes) ++points_with[node];
    }
    Workload load;
    load.points = sweep.points.size();
    load.points_at_a_time = limits.cohorts;
    load.cores = std::max(1, cores);
    for (const PlannedNode& planned : plan.nodes) {
        ++load.stages;
        load.shared += load.points > 1 && points_with[planned.node] == load.points;
        load.reused += planned.action == Action::Reuse;
        load.to_run += may_run(planned.action) && planned.action != Action::Unknown;
        load.may_run += planned.action == Action::Unknown;
    }
    if (load.to_run + load.may_run > 0)
        load.expected_seconds = forecast_seconds(sweep.dag, plan, limits, load.cores, only_points(sweep));
    return load;
}

}  // namespace satdl
