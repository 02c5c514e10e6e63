// The DAG of a run as its record tells it: every stage with the parameters that it had, whatever has become of the YAML
// since. So an artifact can be made again by whoever has the store and the data.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>

#include "pipeline/dag/dag.h"
#include "pipeline/dataset/dataset.h"
#include "pipeline/os/file_system.h"

namespace satdl {

struct RecordedStage {
    std::string run;    // the id of the record
    std::string stage;  // the name that it had there
};
// By key: the newest record of a run that tells its DAG and in which a stage had this key. Each record is read once at most.
[[nodiscard]] std::map<Digest, RecordedStage> find_recorded_stages(const std::filesystem::path& store_folder, std::set<Digest> keys,
                                                                   FileSystem& files);

// Its DAG, with the stages' names as they were. Throws Error{Usage} where it cannot be built any more: a kind of stage that is
// unknown, parameters that a stage no longer has.
[[nodiscard]] Dag recorded_dag(const std::filesystem::path& store_folder, const std::string& run, const Catalog& catalog,
                               FileSystem& files);

}  // namespace satdl
