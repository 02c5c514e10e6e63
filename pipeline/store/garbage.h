// Garbage collection: which files of a store may go, and in which order.
//
// An artifact is a function of its key: the next run that needs a removed one recomputes it. So removal costs only the seconds
// that this takes, and the order follows from them: the cheapest to recompute, per byte, go first; those of unknown cost last.
// What is in use stays. The caller says what that is: what results/ links to, what the last runs made or reused, and what a DAG
// file describes as it is.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pipeline/core/digest.h"
#include "pipeline/store/checkpoint_files.h"
#include "pipeline/store/open_store.h"

namespace satdl {

struct GarbagePolicy {
    double older_days = 0;       // only what was written longer ago, or as far in the future: see UnusedArtifact::age_days
    std::uint64_t to_bytes = 0;  // only until all artifacts together have this size; 0: whatever is not in use
};

struct UnusedArtifact {
    Digest key;
    std::string kind{};  // of stage
    std::uint64_t bytes = 0;
    double age_days = 0;  // how far its time is from now, in either direction: a clock may have been set back
    std::optional<double> seconds{};  // to compute it again, if the history has it
};

// A file that no run will read again: a checkpoint of an artifact that is not in use, a damaged file, the claim of a killed process.
struct LeftoverFile {
    std::filesystem::path path;
    std::uint64_t bytes = 0;
};

struct Garbage {
    std::vector<UnusedArtifact> artifacts;  // in the order in which they go
    std::vector<CheckpointFiles::Entry> final_checkpoints;
    std::vector<LeftoverFile> leftovers;
    std::size_t kept = 0;  // artifacts
    std::uint64_t kept_bytes = 0;
};

// The artifacts that links below `results` lead to, also by way of further links. Throws Error{Usage} if a folder cannot be read: then it
// is unknown what is current.
[[nodiscard]] std::set<Digest> linked_artifacts(const std::filesystem::path& results);

// Those that go, in their order. `all_bytes`: the size of all artifacts, used and unused.
[[nodiscard]] std::vector<UnusedArtifact> choose_garbage(std::vector<UnusedArtifact> unused, std::uint64_t all_bytes,
                                                         const GarbagePolicy& policy);

// `now`: seconds since 1970. Moves damaged artifacts that it meets to quarantine. Throws FileError.
[[nodiscard]] Garbage find_garbage(OpenStore& open, const std::set<Digest>& used, const GarbagePolicy& policy, double now);

// Only with the store locked (StoreLock::alone). Throws FileError.
void remove_garbage(OpenStore& open, const Garbage& garbage);

}  // namespace satdl
