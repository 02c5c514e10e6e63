// What a stage costs in processor time and memory, measured by the kernel: of this process while a stage runs in it, or of
// the processes that it was given.
#pragma once

#include <cstdint>

struct rusage;

namespace satdl {

struct ResourceUsage {
    double cpu_seconds = 0;        // user and system, of all threads
    std::uint64_t peak_bytes = 0;  // of resident memory: the most at any time
    bool shared = false;           // of this process while several were measured: both numbers have a part of the others
};

// What getrusage(2) and wait4(2) say.
[[nodiscard]] ResourceUsage usage_of(const rusage& usage);

// Measures this process from its construction on. While several exist, each has the numbers of all: `shared`.
class ProcessMeter {
public:
    ProcessMeter();
    ~ProcessMeter();
    ProcessMeter(const ProcessMeter&) = delete;
    ProcessMeter& operator=(const ProcessMeter&) = delete;

    [[nodiscard]] ResourceUsage usage() const;  // up to now

private:
    const double cpu_seconds_before_;
    std::uint64_t others_before_ = 0;
    bool began_alone_ = false;
};

// The child processes (with those that they waited for) for whose end this thread has waited since the last call; a thread
// waits for the children that it started.
void add_child_usage(const ResourceUsage& child);
[[nodiscard]] ResourceUsage take_child_usage();

}  // namespace satdl
