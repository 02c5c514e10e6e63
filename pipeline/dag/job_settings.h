// What a DAG says of stages that jobs of a batch system execute: which executor, and what the jobs ask of their machines.
//
// None of it is part of a key. But keys depend on the machine that computes: so what `threads: auto` means, and on which processor and GPU a
// result is computed, come from here and not from the machine that plans (plan/placement.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/stage.h"

namespace satdl {

// What a stage asks of the machine that its job gets (docs/cluster.md).
struct JobResources {
    int cpus = 1;
    std::uint64_t memory_bytes = 0;  // 0: not said
    std::optional<double> seconds;   // the limit of its time
    int gpus = 0;
    std::string partition, account, qos, constraint;
    std::vector<std::string> extra;  // options of the batch system's own, word for word
    bool operator==(const JobResources&) const = default;
};

// The job of one stage.
struct JobSettings {
    std::string executor;  // its name in YAML: "slurm", "gpu"
    std::string type;      // of the batch system: "slurm"
    JobResources resources;
    // Its machines, in the words of Machine and Gpu; "" and nullopt: they are not described, and taken to be like the one that plans.
    std::string cpu, processor;
    std::optional<Gpu> gpu;
};

}  // namespace satdl
