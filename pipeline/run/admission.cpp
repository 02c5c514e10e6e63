#include "pipeline/run/admission.h"

#include <algorithm>
#include <utility>

#include "pipeline/core/error.h"
#include "pipeline/os/large_arrays.h"

namespace satdl {

Admission::Admission(const Limits& limits, int cores, Cohorts cohorts) : limits_(limits), cores_(cores) {
    if (limits_.cohorts == 0) return;
    cohorts_ = std::move(cohorts);
    for (const auto& cohort : cohorts_)
        if (cohort) ++to_do_[*cohort];
}

std::optional<std::size_t> Admission::cohort_of(std::size_t node) const {
    return node < cohorts_.size() ? cohorts_[node] : std::nullopt;
}

void Admission::offer(std::size_t node, const ResourceRequest& need, double priority) {
    const std::scoped_lock lock(mutex_);
    const QueuePosition place{-priority, node};
    requests_[node] = {{std::min(need.threads, cores_), need.bytes, need.gpus}, place};
    const auto cohort = cohort_of(node);
    if (cohort && !in_flight_.contains(*cohort)) {
        held_back_.insert(place);
        held_of_[*cohort].push_back(place);
    } else {
        waiting_.insert(place);
    }
}

std::optional<int> Admission::free_gpu(const ResourceRequest& need) const {
    for (int gpu = 0; gpu < need.gpus; ++gpu)
        if (!gpus_taken_.contains(gpu)) return gpu;
    return std::nullopt;
}

int Admission::gpu_of(std::size_t node) {
    const std::scoped_lock lock(mutex_);
    return requests_.at(node).gpu.value_or(0);
}

bool Admission::fits(const ResourceRequest& need, std::uint64_t held_bytes) const {
    if (running_ == 0) return true;
    if (limits_.jobs > 0 && running_ >= static_cast<std::size_t>(limits_.jobs)) return false;
    if (cores_taken_ + need.threads > cores_) return false;
    return limits_.memory_bytes == 0 || bytes_taken_ + held_bytes + need.bytes <= limits_.memory_bytes;
}

// Except those that wait for a GPU.
std::optional<Admission::QueuePosition> Admission::first_of(const std::set<QueuePosition>& places) const {
    const auto found = std::ranges::find_if(
        places, [&](const QueuePosition& place) {
            const ResourceRequest& need = requests_.at(place.second).need;
            return need.gpus == 0 || free_gpu(need);
        });
    return found == places.end() ? std::nullopt : std::optional(*found);
}

// The first of all that wait, except those held back while no further cohort may start.
std::optional<std::size_t> Admission::next() const {
    const auto waiting = first_of(waiting_);
    const auto held_back = in_flight_.size() < limits_.cohorts ? first_of(held_back_) : std::nullopt;
    if (held_back && (!waiting || *held_back < *waiting)) return held_back->second;
    return waiting ? std::optional(waiting->second) : std::nullopt;
}

std::vector<std::size_t> Admission::admit(std::uint64_t held_bytes) {
    const std::scoped_lock lock(mutex_);
    std::vector<std::size_t> admitted;
    for (auto node = next(); node && fits(requests_.at(*node).need, held_bytes); node = next()) {
        start(*node);
        admitted.push_back(*node);
    }
    return admitted;
}

void Admission::start(std::size_t node) {
    Waiter& request = requests_.at(node);
    if (const auto cohort = cohort_of(node); cohort && in_flight_.insert(*cohort).second) {
        for (const QueuePosition& place : std::exchange(held_of_[*cohort], {}))
            if (held_back_.erase(place) > 0) waiting_.insert(place);
    }
    waiting_.erase(request.place);
    request.runs = true;
    ++running_;
    cores_taken_ += request.need.threads;
    bytes_taken_ += request.need.bytes;
    request.gpu = free_gpu(request.need);
    if (request.gpu) gpus_taken_.insert(*request.gpu);
}

void Admission::finished(std::size_t node) {
    const std::scoped_lock lock(mutex_);
    const auto found = requests_.find(node);
    SATDL_CHECK(found != requests_.end() && found->second.runs, "only what was admitted can finish");
    --running_;
    cores_taken_ -= found->second.need.threads;
    bytes_taken_ -= found->second.need.bytes;
    if (found->second.gpu) gpus_taken_.erase(*found->second.gpu);
    requests_.erase(found);
}

void Admission::done(std::size_t node) {
    const std::scoped_lock lock(mutex_);
    leave_cohort(node);
}

void Admission::awaited(std::size_t node, std::size_t other) {
    const std::scoped_lock lock(mutex_);
    if (cohort_of(node) == cohort_of(other)) return;
    const auto request = requests_.find(node);
    if (request != requests_.end() && request->second.runs) return;
    leave_cohort(node);
    if (request != requests_.end() && held_back_.erase(request->second.place) > 0) waiting_.insert(request->second.place);
}

void Admission::leave_cohort(std::size_t node) {
    const auto cohort = cohort_of(node);
    if (!cohort) return;
    cohorts_[node].reset();
    if (--to_do_.at(*cohort) == 0) in_flight_.erase(*cohort);
}

std::uint64_t declared_memory(const StageDescription& stage, std::uint64_t input_bytes, const NodeTypes& types,
                              std::uint64_t large_array_bytes) {
    std::uint64_t output_bytes = 0;
    for (const auto& [port, type] : types.outputs) output_bytes += expected_bytes(type);
    double data = stage.memory_per_input_byte * static_cast<double>(input_bytes) +
                  stage.memory_per_output_byte * static_cast<double>(output_bytes);
    if (stage.large_outputs_in_files && large_array_bytes > 0)
        data = std::min(data, static_cast<double>(large_array_bytes) * static_cast<double>(stage.outputs.size()));
    const double bytes = static_cast<double>(stage.memory_fixed_bytes) + data + static_cast<double>(types.network_bytes);
    return static_cast<std::uint64_t>(std::max(0.0, bytes));
}

Limits default_limits(Limits limits, const Machine& machine) {
    if (limits.memory_bytes == 0) limits.memory_bytes = machine.memory_bytes / 5 * 4;
    if (limits.memory_bytes > 0) limits.large_array_bytes = large_array_bytes(limits.memory_bytes);
    return limits;
}

}  // namespace satdl
