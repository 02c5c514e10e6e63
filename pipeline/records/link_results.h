// The links that users read: results/<dag>/<stage>.h5 leads to the stage's current artifact, results/.last to the folder of the DAG that
// ran last.
//
// The folder is the user's, too. satdl replaces and removes only its own links: symbolic ones that lead to an artifact, of this store or of
// another, or (.last) to a folder beside it. Whatever else has the name of a link stays; a warning names it, and the other links are made.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pipeline/dag/dag.h"
#include "pipeline/os/file_system.h"

namespace satdl {

// The name of a stage or of a DAG as a file name: characters that are special to a file system or a shell become %XX, and a
// name that is too long ends in a digest of the whole.
[[nodiscard]] std::string file_name_of(std::string_view name);

// The name of a stage's link in the folder of its DAG: "m1.h5".
[[nodiscard]] std::string link_name_of(std::string_view stage);

// Whether `link` is a symbolic link to an artifact of a store, which may be gone.
[[nodiscard]] bool is_artifact_link(const std::filesystem::path& link);

// Where the link to the folder of the DAG that ran last lies.
[[nodiscard]] std::filesystem::path last_link(const std::filesystem::path& results);
// The name of the folder to which it leads; nullopt if there is no such link, or it is not satdl's.
[[nodiscard]] std::optional<std::string> last_folder(const std::filesystem::path& results);

// A stage, and the path of its artifact as the store gives it.
using CurrentArtifact = std::pair<std::string_view, std::string>;

// The names of the links in a DAG's folder whose stages the DAG no longer has. The links of a sweep ("m1[seed=1]") are of the stage m1.
[[nodiscard]] std::vector<std::string> links_of_gone_stages(const std::filesystem::path& folder, const Dag& dag, FileSystem& files);

// Makes and renews the links to the current artifacts and the note beside them (results_note.h), and removes those of stages that the DAG
// no longer has. `warn` gets what cannot be replaced. Throws FileError.
void link_results(const std::filesystem::path& results, const Dag& dag, const std::vector<CurrentArtifact>& current,
                  const std::filesystem::path& store, FileSystem& files, const std::function<void(const std::string&)>& warn);

}  // namespace satdl
