// What a job asks for, in one call.
#pragma once

#include <optional>

#include "pipeline/run/job_executor.h"

namespace satdl::test {

inline JobResources with_cpus(int cpus) {
    JobResources resources;
    resources.cpus = cpus;
    return resources;
}

inline JobResources with_memory(std::uint64_t bytes, std::optional<double> seconds = std::nullopt) {
    JobResources resources;
    resources.memory_bytes = bytes;
    resources.seconds = seconds;
    return resources;
}

inline JobResources with_seconds(double seconds) { return with_memory(0, seconds); }

}  // namespace satdl::test
