// Artifacts in quarantine made again, from the DAG that the record of their run tells; they must then have the digests that they had.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "commands/shared/session.h"

namespace satdl {

// An artifact that was put into quarantine and has not been made again since.
struct Lost {
    Digest key;
    std::optional<ArtifactHeader> header;  // as far as it can still be read
    std::string stage;                   // as the newest record names it; "" where none does
    std::string trouble;                 // why it was not repaired; "" where it was

    [[nodiscard]] std::string words() const;  // what came of it
};
[[nodiscard]] std::vector<Lost> lost_artifacts(OpenStore& open);

struct RepairOptions {
    std::vector<std::string> stages;  // further stage libraries
    bool trust = false;               // the store's records, whoever owns them
    bool quiet = false;               // nothing on stdout
};
// Says of each what came of it. The exit code of a signal, if one came. Throws Error{Usage} where the records, which say what is to
// run, are somebody else's.
[[nodiscard]] std::optional<ExitCode> repair(std::vector<Lost>& lost, OpenStore& open, const RepairOptions& options);

}  // namespace satdl
