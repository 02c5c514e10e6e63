#include "pipeline/run/forecast.h"

#include <algorithm>
#include <functional>
#include <queue>
#include <utility>
#include <vector>

namespace satdl {
namespace {

class ScheduleSimulation {
public:
    ScheduleSimulation(const Dag& dag, const Plan& plan, const Limits& limits, int cores, const Cohorts& cohorts)
        : dag_(dag), plan_(plan), links_(dag, plan), admission_(limits, std::max(1, cores), by_position(cohorts, plan)) {
        for (std::size_t node = 0; node < links_.count(); ++node) awaited_.push_back(links_[node].producers.size());
    }

    double seconds() {
        for (std::size_t node = 0; node < links_.count(); ++node)
            if (links_[node].producers.empty()) ready_.push_back(node);
        settle_ready();
        while (!running_.empty()) {
            const std::size_t node = running_.top().second;
            now_ = running_.top().first;
            running_.pop();
            if (!dag_.nodes[plan_.nodes[node].node].job) admission_.finished(node);
            end(node);
            settle_ready();
        }
        return now_;
    }

private:
    void settle_ready() {
        while (!ready_.empty()) {
            const std::size_t node = ready_.back();
            ready_.pop_back();
            if (links_[node].may_run && dag_.nodes[plan_.nodes[node].node].job)
                running_.emplace(now_ + plan_.nodes[node].expected_seconds.value_or(0), node);  // on another machine
            else if (links_[node].may_run) admission_.offer(node, {.threads = plan_.nodes[node].threads}, links_[node].remaining_seconds);
            else end(node);
        }
        for (const std::size_t node : admission_.admit(0))
            running_.emplace(now_ + plan_.nodes[node].expected_seconds.value_or(0), node);
    }

    void end(std::size_t node) {
        admission_.done(node);
        for (const std::size_t consumer : links_[node].consumers)
            if (--awaited_[consumer] == 0) ready_.push_back(consumer);
    }

    const Dag& dag_;
    const Plan& plan_;
    const PlanGraph links_;
    Admission admission_;
    std::vector<std::size_t> awaited_;  // by position: producers that have not finished
    std::vector<std::size_t> ready_;
    using End = std::pair<double, std::size_t>;  // when, which
    std::priority_queue<End, std::vector<End>, std::greater<>> running_;
    double now_ = 0;
};

}  // namespace

std::optional<double> forecast_seconds(const Dag& dag, const Plan& plan, const Limits& limits, int cores, const Cohorts& cohorts) {
    const auto is_unknown = [](const PlannedNode& planned) { return may_run(planned.action) && !planned.expected_seconds; };
    if (std::ranges::any_of(plan.nodes, is_unknown)) return std::nullopt;
    return ScheduleSimulation(dag, plan, limits, cores, cohorts).seconds();
}

}  // namespace satdl
