#include "pipeline/executors/jobs/job_batches.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace satdl {
namespace {

std::string_view group_of(std::string_view name) { return name.substr(0, name.find_first_of("[@")); }

std::string text_of(const JobResources& resources, const std::vector<std::string>& excluded) {
    return fmt::format("{}|{}|{}|{}|{}|{}|{}|{}|{}|{}", resources.cpus, resources.memory_bytes, resources.seconds.value_or(0),
                       resources.gpus, resources.partition, resources.account, resources.qos, resources.constraint,
                       fmt::join(resources.extra, "\n"), fmt::join(excluded, ","));
}

// Room in the limit for a job of several stages: each may take half as much again as expected, and one of them all that a stage may take.
double job_seconds(double stage_limit, double expected_of_all) { return stage_limit + 1.5 * expected_of_all; }

}  // namespace

void BatchPool::add(WaitingStage stage) {
    Group& group = groups_[text_of(stage.stage.resources, stage.excluded_nodes)];
    if (group.stages.empty()) {
        group.resources = stage.stage.resources;
        group.excluded_nodes = stage.excluded_nodes;
        group.arrived = arrivals_++;
    }
    group.stages.push_back(std::move(stage));
    ++size_;
}

std::optional<double> BatchPool::expected_seconds(const JobStage& stage) const {
    if (stage.expected_seconds) return stage.expected_seconds;
    const auto learned = learned_.find(group_of(stage.name));
    return learned == learned_.end() ? std::nullopt : std::optional(learned->second);
}

void BatchPool::learn(const std::string& name, double seconds) {
    const auto [known, is_first] = learned_.try_emplace(std::string(group_of(name)), seconds);
    if (!is_first) known->second += (seconds - known->second) / 8;
}

std::vector<JobBatch> BatchPool::take(std::size_t jobs) {
    std::vector<JobBatch> batches;
    if (groups_.empty() || jobs == 0) return batches;
    const auto first = std::ranges::min_element(groups_, {}, [](const auto& one) { return one.second.arrived; });
    Group& group = first->second;
    const std::size_t unknown_together = (group.stages.size() + limits_.jobs_of_unknown - 1) / limits_.jobs_of_unknown;
    double longest = group.resources.seconds.value_or(0);

    // The job that is being filled; each stage takes its share of it, 1 is full.
    std::vector<NodeId> filling;
    double filled = 0, expected = 0;
    const auto finish = [&] {
        if (filling.size() > 1 && group.resources.seconds) longest = std::max(longest, job_seconds(*group.resources.seconds, expected));
        batches.push_back({std::exchange(filling, {}), group.resources, group.excluded_nodes});
        filled = expected = 0;
    };
    while (!group.stages.empty()) {
        const WaitingStage& waiting = group.stages.front();
        const auto seconds = expected_seconds(waiting.stage);
        const bool is_long = waiting.alone || (seconds && *seconds >= limits_.long_seconds);
        const bool needs_job = is_long || filling.empty();
        if (needs_job && batches.size() + (filling.empty() ? 0 : 1) == jobs) break;
        if (is_long) {
            batches.push_back({{waiting.stage.node}, group.resources, group.excluded_nodes});
        } else {
            filling.push_back(waiting.stage.node);
            filled += seconds ? *seconds / limits_.seconds : 1.0 / static_cast<double>(unknown_together);
            expected += seconds.value_or(0);
        }
        group.stages.pop_front();
        --size_;
        if (!filling.empty() && (filled >= 1 - 1e-9 || filling.size() == limits_.nodes)) finish();
    }
    if (!filling.empty()) finish();
    if (group.resources.seconds)
        for (JobBatch& batch : batches) batch.resources.seconds = longest;
    if (group.stages.empty()) groups_.erase(first);
    else group.arrived = arrivals_++;
    return batches;
}

std::vector<NodeId> BatchPool::take_all() {
    std::vector<NodeId> nodes;
    for (const auto& [text, group] : groups_)
        for (const WaitingStage& waiting : group.stages) nodes.push_back(waiting.stage.node);
    groups_.clear();
    size_ = 0;
    return nodes;
}

}  // namespace satdl
