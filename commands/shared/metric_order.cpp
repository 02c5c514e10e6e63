#include "commands/shared/metric_order.h"

#include "pipeline/sweep/sweep_summary.h"

namespace satdl {

int metric_rank(const std::string& metric) {
    const bool is_repeated = metric.starts_with("best/") || metric.starts_with("last/") || metric.starts_with("epoch_of_");
    return (is_repeated ? 4 : 0) + (usual_best(metric) ? 0 : 2) + (metric.find("train/") == std::string::npos ? 0 : 1);
}

}  // namespace satdl
