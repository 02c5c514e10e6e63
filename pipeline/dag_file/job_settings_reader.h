// `executors:` of a DAG file and of the user's settings, and `executor:` and `resources:` of stages: which stages jobs of a batch system
// execute, and what such a job asks for (docs/cluster.md).
//
//   executors:
//     gpu: {type: slurm, partition: a100, time: 2h, machine: {cpu: AVX512, processor: "..."}}
//   stages:
//     m1:  {kind: train, executor: gpu, resources: {cpus: 8, memory: 16GB, gpus: 1}, ...}
//
// Resources are joined key by key: a stage's own over those in `defaults:`, these over its executor's. An executor of the user's settings
// is joined over the one of the same name in the DAG file in the same way: a DAG is shared, and a partition is a site's.
// `local` (this machine), `process` (this machine, a process of its own) and `slurm` are there without being declared.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "pipeline/dag/dag.h"
#include "pipeline/dag_file/interpolation.h"

namespace satdl {

// What the command line and the user's settings say of executors.
struct ExecutorChoice {
    std::string name;            // of --executor: of every stage that does not say `local`; "": each stage's own, else `local`
    ConfigValue executors = {};  // the section of the user's settings, or null
};

class JobSettingsReader {
public:
    // `section`: `executors:` of the DAG file, or null. Mistakes in any executor are added to `diagnostics`, also of one that no stage uses.
    JobSettingsReader(const ConfigValue& section, const ExecutorChoice& choice, Interpolation& interpolation, Diagnostics& diagnostics);

    // Sets `job` of a node, or that it has a process of its own; `body`: its map with its defaults. Precondition: the node has its
    // parameters. Mistakes are added.
    void read(const ConfigValue& body, const LocalNames& locals, Node& node);

private:
    struct Executor {
        std::string type;
        ConfigValue resources;  // a map
        std::string cpu{}, processor{};
        std::optional<Gpu> gpu{};
    };
    void add(const ConfigValue::Entry& entry);
    void read_machine(const ConfigValue& machine, Executor& executor);
    [[nodiscard]] std::string text_of(const ConfigValue& value, std::string_view key);
    [[nodiscard]] const Executor* executor_of(const ConfigValue* own, const LocalNames& locals, std::string& name);

    const std::string chosen_;
    Interpolation& interpolation_;
    Diagnostics& diagnostics_;
    std::map<std::string, Executor> executors_;
};

// The map `over` joined over the map `under`, key by key.
[[nodiscard]] ConfigValue joined_maps(const ConfigValue& over, const ConfigValue& under);

}  // namespace satdl
