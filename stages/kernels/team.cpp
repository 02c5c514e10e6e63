#include "stages/kernels/team.h"

#include <chrono>

#include "stages/kernels/denormals.h"

namespace satdl::stages::kernels {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::microseconds kSpin{10}, kYield{100};  // since the wait began

void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

// Until is_over(the value).
template <typename IsOver>
void wait(const std::atomic<std::uint32_t>& value, const IsOver& is_over) {
    const Clock::time_point begin = Clock::now();
    for (;;) {
        const std::uint32_t seen = value.load(std::memory_order_acquire);
        if (is_over(seen)) return;
        const auto waited = Clock::now() - begin;
        if (waited < kSpin)
            pause();
        else if (waited < kYield)
            std::this_thread::yield();
        else
            value.wait(seen, std::memory_order_acquire);
    }
}

}  // namespace

Team::Team(int threads) {
    for (int thread = 1; thread < threads; ++thread) others_.emplace_back([this, thread] { stand_by(thread); });
}

Team::~Team() {
    closing_.store(true, std::memory_order_relaxed);
    runs_.fetch_add(1, std::memory_order_release);
    runs_.notify_all();
}

void Team::stand_by(int thread) {
    for (std::uint32_t done = 0;;) {
        wait(runs_, [&](std::uint32_t runs) { return runs != done; });
        if (closing_.load(std::memory_order_relaxed)) return;
        done = runs_.load(std::memory_order_acquire);
        work(thread);
    }
}

void Team::run(std::span<const Phase> phases) {
    phases_ = phases;
    first_.assign(1, 0);
    for (const Phase& phase : phases) first_.push_back(first_.back() + phase.jobs);
    const auto jobs = static_cast<std::uint32_t>(first_.back());
    ended_.store(0, std::memory_order_relaxed);
    claims_.store(std::uint64_t{jobs} << 32, std::memory_order_release);
    runs_.fetch_add(1, std::memory_order_release);
    if (!others_.empty()) runs_.notify_all();
    work(0);
    wait(ended_, [&](std::uint32_t ended) { return ended == jobs; });
}

// Claims job after job, in the order of the phases, until none is left. Whoever has claimed a job waits only for jobs that
// were claimed before it: so any number of threads gets to the end.
void Team::work(int thread) {
    const DenormalsAreZero none;
    std::size_t phase = 0;
    for (;;) {
        const std::uint64_t claim = claims_.fetch_add(1, std::memory_order_acq_rel);
        const auto job = static_cast<std::uint32_t>(claim);
        if (job >= claim >> 32) return;
        if (job < first_[phase]) phase = 0;  // of the next run already
        while (job >= first_[phase + 1]) ++phase;
        const auto before = static_cast<std::uint32_t>(first_[phase]), after = static_cast<std::uint32_t>(first_[phase + 1]);
        if (before > 0) wait(ended_, [&](std::uint32_t ended) { return ended >= before; });
        phases_[phase].run(job - before, thread);
        const std::uint32_t ended = ended_.fetch_add(1, std::memory_order_acq_rel) + 1;
        if (!others_.empty() && ended == after) ended_.notify_all();
    }
}

}  // namespace satdl::stages::kernels
