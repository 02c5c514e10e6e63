// The links that a run leaves: results/<dag>/<stage>.h5, each to the stage's current object.
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
    std::optional<ArtifactHeader> header;  // nothing where the link leads nowhere
};

class ResultLinks {
public:
    // Of the DAG of this name, or ("") of the one that ran last. Throws Error{Usage} where there is none.
    ResultLinks(std::filesystem::path folder, const std::string& dag, FileSystem& files);

    [[nodiscard]] const std::string& dag() const { return dag_; }
    [[nodiscard]] std::vector<std::string> names() const;  // sorted
    [[nodiscard]] std::filesystem::path path_of(const std::string& stage) const;
    [[nodiscard]] LinkedStage stage(const std::string& name) const;  // throws DamagedArtifact
    // The stage and port that carry this digest now: "noisy@train.images"; "" where none does.
    [[nodiscard]] std::string origin_of(const Digest& port_digest) const;

private:
    std::string dag_;
    std::filesystem::path folder_;
    FileSystem& files_;
};

}  // namespace satdl
