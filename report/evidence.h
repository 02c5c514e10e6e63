// The artifacts of a run's stages, opened on demand; a missing one is noted once in the report and never fails the
// report.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "pipeline/store/store.h"
#include "report/facts.h"

namespace satdl {

// Where a number comes from.
struct Source {
    std::string stage, port;
    Digest key, digest;  // of the artifact; of what the port carries
};

class Evidence {
public:
    // Both must outlive it. Notes go to run.missing.
    Evidence(RunFacts& run, Store& store) : run_(run), store_(store) {}

    // null if the stage has no artifact in the store.
    [[nodiscard]] const ArtifactHeader* header(const std::string& stage);
    [[nodiscard]] std::optional<Array> array(const std::string& stage, const std::string& port);
    [[nodiscard]] std::optional<NamedArrays> group(const std::string& stage, const std::string& port);
    [[nodiscard]] std::optional<Source> source(const std::string& stage, const std::string& port);

private:
    template <typename Read>
    auto guarded(const std::string& stage, Read read) -> decltype(read(Digest()));
    void note(const std::string& stage, const std::string& why);

    RunFacts& run_;
    Store& store_;
    std::map<std::string, std::optional<ArtifactHeader>> headers_;
    std::map<std::string, std::optional<StageOutput>> outcomes_;
    std::set<std::string> noted_;
};

}  // namespace satdl
