// The links that a run creates: results/<dag>/<stage>.h5, each to the stage's current artifact.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/store/artifact.h"

namespace satdl {

struct LinkedStage {
    std::string name;
    std::filesystem::path path;
    std::optional<ArtifactHeader> header;  // nullopt if the link is dangling
};

class ResultLinks {
public:
    // Of the DAG of this name, or ("") of the one that ran last. Throws Error{Usage} if there is none.
    ResultLinks(std::filesystem::path folder, const std::string& dag, FileSystem& files);

    [[nodiscard]] const std::string& dag() const { return dag_; }
    [[nodiscard]] std::vector<std::string> names() const;  // sorted
    [[nodiscard]] std::filesystem::path path_of(const std::string& stage) const;
    [[nodiscard]] LinkedStage stage(const std::string& name) const;  // throws DamagedArtifact
    // The stage and port whose content has this digest now: "noisy@train.images"; "" if there is none.
    [[nodiscard]] std::string origin_of(const Digest& port_digest) const;

private:
    std::string dag_;
    std::filesystem::path folder_;
    FileSystem& files_;
};

}  // namespace satdl
