// Threads that do the many short phases of a training step together, and that wait for each other in between.
//
// OpenMP's would be there already, but not as the step needs them: `satdl run` tells them to sleep whenever they wait (a
// thread that spins takes the core from other stages), and waking one takes longer than most phases. These spin for some
// microseconds, then give the core away whenever somebody else wants it, and sleep only after that.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <thread>
#include <vector>

namespace satdl::stages::kernels {

struct Phase {
    std::int64_t jobs = 0;
    std::function<void(std::int64_t job, int thread)> run;  // must not throw
};

class Team {
public:
    explicit Team(int threads);  // the caller of run() is one of them
    ~Team();
    Team(const Team&) = delete;
    Team& operator=(const Team&) = delete;

    [[nodiscard]] int threads() const { return static_cast<int>(others_.size()) + 1; }

    // All jobs of a phase end before the next one begins; in all of them denormals are zero (denormals.h). Which thread does
    // a job is not fixed: no result may depend on it. One call at a time.
    void run(std::span<const Phase> phases);

private:
    void stand_by(int thread);
    void work(int thread);

    std::span<const Phase> phases_;
    std::vector<std::int64_t> first_;  // by phase: the number of jobs before it
    std::atomic<std::uint64_t> claims_{
        0};  // jobs in all << 32 | claimed: one word, so that a late claim never meets another run's number of jobs
    std::atomic<std::uint32_t> ended_{0};  // jobs
    std::atomic<std::uint32_t> runs_{0};
    std::atomic<bool> closing_{false};
    std::vector<std::jthread> others_;
};

}  // namespace satdl::stages::kernels
