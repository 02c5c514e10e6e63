// Threads for the stages that need no LibTorch. What a body computes for a position must depend on that position alone:
// then the number of threads cannot be seen in the result.
#pragma once

#include <algorithm>
#include <cstdint>
#include <thread>
#include <vector>

namespace satdl::stages {

// body(first, last) over [0, count) in ranges, each a multiple of `grain` but for the last. The body must not throw.
template <typename Body>
void parallel_ranges(std::int64_t count, std::int64_t grain, int threads, const Body& body) {
    const std::int64_t grains = (count + grain - 1) / grain;
    const std::int64_t workers = std::clamp<std::int64_t>(threads, 1, std::max<std::int64_t>(grains, 1));
    const auto bound = [&](std::int64_t worker) { return std::min(count, grains * worker / workers * grain); };
    std::vector<std::jthread> others;
    for (std::int64_t worker = 1; worker < workers; ++worker) {
        others.emplace_back([&body, first = bound(worker), last = bound(worker + 1)] { body(first, last); });
    }
    body(0, bound(1));
}

}  // namespace satdl::stages
