// Which stages share a job: a long one has a job of its own; short ones with equal resources share one until they are expected to take ten
// minutes, so that waiting in the queue pays. Only stages that are ready at the same time share a job: none waits for another in it.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/run/job_executor.h"

namespace satdl {

struct WaitingStage {
    JobStage stage;
    std::vector<std::string> excluded_nodes{};  // sorted
    bool alone = false;                         // it ended a job that it shared
};

struct JobBatch {
    std::vector<NodeId> nodes;
    JobResources resources;  // `seconds`: enough for all of them
    std::vector<std::string> excluded_nodes;
};

struct BatchLimits {
    double seconds = 600;        // what a job of short stages is expected to take at least
    double long_seconds = 300;   // from here on a stage has a job of its own
    // Stages of which nothing is known: each has its own job while there are few; of many, so many share one that there are this many jobs.
    std::size_t jobs_of_unknown = 128;
    std::size_t nodes = 1000;  // most in one job
};

class BatchPool {
public:
    explicit BatchPool(BatchLimits limits = {}) : limits_(limits) {}

    void add(WaitingStage stage);
    // The next jobs, at most `jobs`, all with equal resources and excluded nodes: those of the stages that have waited the longest. Takes
    // time for what it returns, not for what waits.
    [[nodiscard]] std::vector<JobBatch> take(std::size_t jobs);
    // A stage took so long: what others of its name (before '[' or '@') are expected to take if nothing else is known.
    void learn(const std::string& name, double seconds);
    [[nodiscard]] std::vector<NodeId> take_all();  // without batches: the run is stopped
    [[nodiscard]] bool empty() const { return groups_.empty(); }
    [[nodiscard]] std::size_t size() const { return size_; }

private:
    struct Group {
        JobResources resources;
        std::vector<std::string> excluded_nodes;
        std::deque<WaitingStage> stages;
        std::uint64_t arrived = 0;  // of the first
    };
    [[nodiscard]] std::optional<double> expected_seconds(const JobStage& stage) const;

    const BatchLimits limits_;
    std::map<std::string, Group> groups_;  // by resources and excluded nodes, as text
    std::map<std::string, double, std::less<>> learned_;
    std::uint64_t arrivals_ = 0;
    std::size_t size_ = 0;
};

}  // namespace satdl
