#include "pipeline/run/retry.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "pipeline/core/error.h"
#include "pipeline/run/attempt_checkpoints.h"

namespace satdl {
namespace {

void wait(double seconds, const std::atomic<bool>& stop) {
    using Clock = std::chrono::steady_clock;
    const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    constexpr auto kPollInterval = std::chrono::milliseconds(20);
    while (!stop.load(std::memory_order_relaxed)) {
        const auto left = end - Clock::now();
        if (left <= Clock::duration::zero()) return;
        std::this_thread::sleep_for(std::min<Clock::duration>(left, kPollInterval));
    }
}

}  // namespace

Attempt run_with_retries(const RunContext& run, const PlannedNode& planned, const StageInputs& inputs) {
    const ExecutionPolicy& policy = run.dag.nodes[planned.node].policy;
    const int attempts = policy.retries + 1;
    PlannedNode now = planned;
    for (int number = 1;; ++number) {
        Attempt made = run_attempt(run, now, inputs);
        made.number = number;
        if (made.failure != Failure::Passing || number == attempts || run.stop.load(std::memory_order_relaxed)) return made;
        const double delay = policy.retry_delay_seconds;
        run.observer.stage_log(run.dag, planned.node, LogLevel::Warning,
                               fmt::format("attempt {} of {} failed: {}; attempt {} follows{}", number, attempts,
                                           first_line(made.error), number + 1,
                                           delay > 0 ? fmt::format(" in {:g} s", delay) : ""));
        wait(delay, run.stop);
        if (run.stop.load(std::memory_order_relaxed)) return made;
        choose_start_again(run, now);
    }
}

}  // namespace satdl
