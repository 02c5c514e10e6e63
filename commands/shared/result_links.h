// The links that a run creates: results/<dag>/<stage>.h5, each to the stage's current artifact.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/dag/dag.h"
#include "pipeline/records/results_note.h"
#include "pipeline/store/artifact.h"

namespace satdl {

// Whether an artifact was made of what the links lead to now: of each input, the link of the stage that the DAG says. MaybeStale: it was
// made of something stale, or the link of an input leads nowhere, or (of a run by an older satdl) nothing says which link that is.
enum class Freshness { Current, MaybeStale, Stale };

struct LinkedStage {
    std::string name;
    std::filesystem::path path;
    bool is_link = true;                      // else a file or folder of the user's has the link's name
    std::optional<ArtifactHeader> header{};   // nullopt if the link is dangling, or is none
    bool is_elsewhere = false;                // the link is dangling, and the header is that of an artifact of a remote
    Freshness freshness = Freshness::Current;
    std::vector<std::string> stale_inputs{};  // the ports because of which it is not current
    std::map<std::string, std::string> origins{};  // of the inputs that are not stale: port -> "noisy@train.images"
};

// What to say of a link to an artifact whose whole store is gone: results/ was copied or moved without it. nullopt if the store is there.
[[nodiscard]] std::optional<Error> without_store(const std::filesystem::path& link);

class ResultLinks {
public:
    // Of the DAG of this name, or ("") of the one that ran last. Throws Error{Usage} if there is none.
    ResultLinks(std::filesystem::path folder, const std::string& dag, FileSystem& files);

    [[nodiscard]] const std::string& dag() const { return dag_; }
    [[nodiscard]] std::vector<std::string> names() const;  // sorted
    // What the run that made the links wrote of its DAG: also of stages without a link, which have not run. Its dag_file is a path as
    // from here. nullopt if an older satdl wrote none.
    [[nodiscard]] std::optional<ResultsNote> note() const;
    [[nodiscard]] std::filesystem::path path_of(const std::string& stage) const;
    // `elsewhere`: the headers of artifacts that only a remote has.
    using Elsewhere = std::function<std::optional<ArtifactHeader>(const Digest& key)>;
    // Sorted. Throws DamagedArtifact; Error{Usage} if without_store().
    [[nodiscard]] std::vector<LinkedStage> stages(const Elsewhere& elsewhere = {}) const;
    [[nodiscard]] std::vector<std::string> gone(const Dag& dag) const;  // names of stages that the DAG no longer has

private:
    std::string dag_;
    std::filesystem::path folder_;
    FileSystem& files_;
};

}  // namespace satdl
