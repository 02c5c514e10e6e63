// Which stage may start next: as many as jobs, cores and memory allow, the one with the longest remaining path first.
//
// A stage that does not fit holds up those behind it, even smaller ones that would fit: else a training that wants every core
// could wait until the last of a thousand small stages is done, though all the others wait for it. What asks for more than
// there is runs alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

namespace satdl {

struct Limits {
    int jobs = 0;                    // stages side by side, at most; 0: as many as the cores admit
    std::uint64_t memory_bytes = 0;  // for stages and the tensors between them; 0: no limit
    bool keep_going = false;         // -k: a failure stops only what depends on it
};

// What a stage takes while it runs.
struct Need {
    int threads = 1;
    std::uint64_t bytes = 0;
};

// Safe from any thread.
class Admission {
public:
    Admission(const Limits& limits, int cores) : limits_(limits), cores_(cores) {}

    // `priority`: seconds that the rest of the run takes at least, once this starts. Ties go by `node`.
    void offer(std::size_t node, const Need& need, double priority);
    // Those that start now, given the bytes of the tensors that are held between stages.
    [[nodiscard]] std::vector<std::size_t> admit(std::uint64_t held_bytes);
    void finished(std::size_t node);

private:
    [[nodiscard]] bool fits(const Need& need, std::uint64_t held_bytes) const;

    const Limits limits_;
    const int cores_;

    std::mutex mutex_;  // guards all below
    std::set<std::pair<double, std::size_t>> waiting_;  // by (-priority, node)
    std::map<std::size_t, Need> needs_;                 // of what waits or runs
    std::size_t running_ = 0;
    int cores_taken_ = 0;
    std::uint64_t bytes_taken_ = 0;
};

}  // namespace satdl
