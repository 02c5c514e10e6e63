// Recomputes artifacts in quarantine from the DAG in the record of their run; they must have the recorded digests.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "commands/shared/session.h"
#include "commands/store/recorded_run.h"

namespace satdl {

// An artifact that is in quarantine and has not been recomputed since.
struct QuarantinedArtifact {
    Digest key;
    std::optional<ArtifactHeader> header;  // nullopt if it cannot be read any more
    std::string stage;                   // its name in the newest record; "" if no record has it
    std::string failure;                 // why it was not repaired; "" if it was

    [[nodiscard]] std::string describe() const;  // the result of the repair, for people
};
[[nodiscard]] std::vector<QuarantinedArtifact> quarantined_artifacts(OpenStore& open);

// Sets the result in each of them. Returns the exit code of a signal, if one came. Throws Error{Usage} if the records, which say what
// to run, belong to another user.
[[nodiscard]] std::optional<ExitCode> repair(std::vector<QuarantinedArtifact>& quarantined, OpenStore& open, const RecordedRunOptions& options);

}  // namespace satdl
