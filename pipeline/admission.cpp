#include "pipeline/admission.h"

#include <algorithm>

#include "pipeline/error.h"

namespace satdl {

void Admission::offer(std::size_t node, const Need& need, double priority) {
    const std::scoped_lock lock(mutex_);
    waiting_.emplace(-priority, node);
    needs_[node] = {std::min(need.threads, cores_), need.bytes};
}

bool Admission::fits(const Need& need, std::uint64_t held_bytes) const {
    if (running_ == 0) return true;
    if (limits_.jobs > 0 && running_ >= static_cast<std::size_t>(limits_.jobs)) return false;
    if (cores_taken_ + need.threads > cores_) return false;
    return limits_.memory_bytes == 0 || bytes_taken_ + held_bytes + need.bytes <= limits_.memory_bytes;
}

std::vector<std::size_t> Admission::admit(std::uint64_t held_bytes) {
    const std::scoped_lock lock(mutex_);
    std::vector<std::size_t> admitted;
    while (!waiting_.empty()) {
        const std::size_t node = waiting_.begin()->second;
        const Need& need = needs_.at(node);
        if (!fits(need, held_bytes)) break;
        waiting_.erase(waiting_.begin());
        ++running_;
        cores_taken_ += need.threads;
        bytes_taken_ += need.bytes;
        admitted.push_back(node);
    }
    return admitted;
}

void Admission::finished(std::size_t node) {
    const std::scoped_lock lock(mutex_);
    const auto found = needs_.find(node);
    SATDL_CHECK(found != needs_.end(), "only what was admitted can finish");
    --running_;
    cores_taken_ -= found->second.threads;
    bytes_taken_ -= found->second.bytes;
    needs_.erase(found);
}

}  // namespace satdl
