// What command stages wrote as files, for people: results/<dag>/<stage>/ shows them under their names.
//
// It is a link to files/<key>/ in the store, which is made once for each artifact. satdl never reads it: what counts is the artifact.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "pipeline/dag/dag.h"
#include "pipeline/os/file_system.h"
#include "pipeline/records/link_results.h"

namespace satdl {

// Makes and renews these links, and removes those of stages that the DAG no longer has. `folder`: results/<dag>. `warn` gets what cannot be
// replaced. Throws Error.
void link_files(const std::filesystem::path& folder, const Dag& dag, const std::vector<CurrentArtifact>& current,
                const std::filesystem::path& store, FileSystem& files, const std::function<void(const std::string&)>& warn);

}  // namespace satdl
