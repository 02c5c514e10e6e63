#include "pipeline/run/job_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <functional>
#include <utility>

#include "pipeline/core/error.h"

namespace satdl {

void JobRunner::add(std::size_t position) {
    const std::scoped_lock lock(mutex_);
    waiting_.push_back(position);
    ++nodes_;
}

bool JobRunner::has_nodes() {
    const std::scoped_lock lock(mutex_);
    return nodes_ > 0;
}

std::vector<std::size_t> JobRunner::look() {
    try {
        submit_ready();
        stop_if_asked();
        if (!submitted_.empty()) run_.jobs->poll(*this);
    } catch (const std::exception& error) {
        fail_all(fmt::format("its job cannot be followed: {}", describe(error)));
    }
    std::vector<std::size_t> ended = std::exchange(ended_, {});
    const std::scoped_lock lock(mutex_);
    nodes_ -= ended.size();
    return ended;
}

// The longest remaining path first.
void JobRunner::submit_ready() {
    std::vector<std::size_t> waiting;
    {
        const std::scoped_lock lock(mutex_);
        waiting = std::exchange(waiting_, {});
    }
    const auto not_ready = std::ranges::stable_partition(waiting, [this](std::size_t node) { return runner_.inputs_are_stored(node); });
    {
        const std::scoped_lock lock(mutex_);
        waiting_.insert(waiting_.end(), not_ready.begin(), not_ready.end());
    }
    waiting.erase(not_ready.begin(), not_ready.end());
    std::ranges::stable_sort(waiting, std::greater<>(), [this](std::size_t node) { return runner_.graph()[node].remaining_seconds; });
    std::vector<JobStage> stages;
    for (const std::size_t position : waiting) {
        if (auto stage = runner_.begin_job(position)) {
            submitted_.emplace(stage->node, position);
            stages.push_back(std::move(*stage));
        } else {
            ended_.push_back(position);
        }
    }
    if (!stages.empty()) run_.jobs->submit(std::move(stages));
}

void JobRunner::stop_if_asked() {
    if (stopped_ || !run_.stop.load(std::memory_order_relaxed)) return;
    stopped_ = true;
    const bool detach = run_.detach != nullptr && run_.detach->load(std::memory_order_relaxed);
    run_.jobs->stop(detach ? JobExecutor::Stop::Detach : JobExecutor::Stop::Cancel);
    if (!detach) return;
    for (const auto& [node, position] : std::exchange(submitted_, {})) {
        runner_.leave_job(position);
        ended_.push_back(position);
    }
}

void JobRunner::fail_all(const std::string& why) {
    std::vector<NodeId> nodes;
    for (const auto& [node, position] : submitted_) nodes.push_back(node);
    for (const NodeId node : nodes) {
        JobOutcome outcome;
        outcome.error = why;
        ended(node, std::move(outcome));
    }
}

void JobRunner::queued(NodeId node, const std::string& job, const std::string& reason) {
    if (const auto found = submitted_.find(node); found != submitted_.end()) runner_.job_queued(found->second, job, reason);
}

void JobRunner::started(NodeId node, const std::string& where) {
    if (const auto found = submitted_.find(node); found != submitted_.end()) runner_.job_started(found->second, where);
}

void JobRunner::progress(NodeId node, const Progress& progress) {
    if (submitted_.contains(node)) runner_.observer().stage_progress(run_.dag, node, progress);
}

void JobRunner::log(NodeId node, LogLevel level, const std::string& text) {
    if (submitted_.contains(node)) runner_.observer().stage_log(run_.dag, node, level, text);
}

void JobRunner::ended(NodeId node, JobOutcome outcome) {
    const auto found = submitted_.find(node);
    if (found == submitted_.end()) return;
    const std::size_t position = found->second;
    submitted_.erase(found);
    runner_.end_job(position, std::move(outcome));
    ended_.push_back(position);
}

}  // namespace satdl
