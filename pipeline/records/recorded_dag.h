// The DAG of a run from its record: every stage with the parameters that it had, even if the YAML has changed
// since. So an artifact can be recomputed from the store and the data alone.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>

#include "pipeline/core/json.h"
#include "pipeline/dag/dag.h"
#include "pipeline/dataset/dataset.h"
#include "pipeline/os/file_system.h"

namespace satdl {

struct RecordedStage {
    std::string run;    // the id of the record
    std::string stage;  // the name that it had there
};
// By key: the newest run whose record has its DAG and a stage with this key. Each record is read at most once.
[[nodiscard]] std::map<Digest, RecordedStage> find_recorded_stages(const std::filesystem::path& store_folder, std::set<Digest> keys,
                                                                   FileSystem& files);

// A value of a record, as it is written into YAML: what was resolved is not resolved again, a `${` in it is meant.
[[nodiscard]] Json with_escaped_references(Json value);

// The run's DAG, with the original names of stages. Throws Error{Usage} if it cannot be built any more: a kind of stage that is
// unknown, parameters that a stage no longer has.
[[nodiscard]] Dag recorded_dag(const std::filesystem::path& store_folder, const std::string& run, const Catalog& catalog,
                               FileSystem& files);

}  // namespace satdl
