#include "pipeline/executors/jobs/retry_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "pipeline/catalog/execution_policy.h"

namespace satdl {
namespace {

std::string times_text(int times) { return times == 1 ? "once" : fmt::format("{} times", times); }

// Batch systems count in MB.
std::uint64_t in_whole_megabytes(double bytes) { return (static_cast<std::uint64_t>(bytes) + 0xfffff) & ~std::uint64_t{0xfffff}; }

}  // namespace

const char* text_of(JobFailure failure) {
    switch (failure) {
        case JobFailure::Stage: return "failed";
        case JobFailure::Memory: return "out of memory";
        case JobFailure::Time: return "out of time";
        case JobFailure::Continued: return "stopped after a checkpoint";
        case JobFailure::Infrastructure: return "lost";
        case JobFailure::Cancelled: return "cancelled";
        case JobFailure::Invisible: return "without a visible artifact";
        case JobFailure::Unblamed: return "ended by another stage of its job";
    }
    return "";
}

double back_off_seconds(int tries, double first, double longest) { return std::min(std::ldexp(first, std::min(tries, 30)), longest); }

std::variant<NextJob, NoMoreJobs> next_job(JobFailure failure, const JobResources& resources, std::uint64_t peak_bytes, JobHistory& history,
                                           const RetryLimits& limits) {
    NextJob next{.resources = resources};
    switch (failure) {
        case JobFailure::Stage: return NoMoreJobs{"", ""};
        case JobFailure::Cancelled: return NoMoreJobs{"somebody cancelled it", "`satdl run` again starts where it stopped"};
        case JobFailure::Continued: return next;
        case JobFailure::Memory: {
            const std::uint64_t had = resources.memory_bytes != 0 ? resources.memory_bytes : peak_bytes;
            if (had == 0)
                return NoMoreJobs{"it ran out of memory, and how much it had is not known", "give it more: resources: {memory: 8GB}"};
            if (++history.memory > limits.memory)
                return NoMoreJobs{fmt::format("it ran out of memory {}, the last time with {}", times_text(history.memory),
                                              memory_text(had)),
                                  "give it more: resources: {memory: ...}"};
            next.resources.memory_bytes = in_whole_megabytes(static_cast<double>(std::max(had, peak_bytes)) * limits.memory_factor);
            return next;
        }
        case JobFailure::Time:
            if (++history.time > limits.time)
                return NoMoreJobs{fmt::format("its time was up {} without a new checkpoint", times_text(history.time)),
                                  "give it more: resources: {time: ...}; a training that writes checkpoints resumes in the next job"};
            if (resources.seconds) next.resources.seconds = *resources.seconds * limits.time_factor;
            return next;
        case JobFailure::Infrastructure:
            if (++history.infrastructure > limits.infrastructure)
                return NoMoreJobs{fmt::format("the batch system lost its job {}", times_text(history.infrastructure)), ""};
            next.delay_seconds =
                back_off_seconds(history.infrastructure - 1, limits.first_delay_seconds, limits.longest_delay_seconds);
            return next;
        case JobFailure::Invisible:
            if (++history.invisible > limits.invisible)
                return NoMoreJobs{"its job ended well, but its artifact is not in the store: the shared folder does not show results here",
                                  "`satdl selftest` in the store's folder, here and in a job, says what that file system can do"};
            return next;
        case JobFailure::Unblamed:
            if (++history.unblamed > limits.unblamed)
                return NoMoreJobs{fmt::format("{} of its jobs ended before it could begin", history.unblamed), ""};
            return next;
    }
    return next;
}

}  // namespace satdl
