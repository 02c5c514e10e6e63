// The names in a store's folder. Each is defined here and nowhere else, for all code that creates, reads, verifies or removes it.
//
// A name that is added here is known to Git's ignore rule at once (gitignore.h). No name changes: stores that were made before are used.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace satdl::store_layout {

inline constexpr std::string_view kArtifacts = "objects";       // objects/ab/<key>.h5: artifact.h
inline constexpr std::string_view kCheckpoints = "checkpoints";  // checkpoints/<key>.<n>.h5: checkpoint_files.h
inline constexpr std::string_view kFinalCheckpoints = "ends";    // ends/<key of the base recipe>.<epochs>.h5: checkpoint_files.h
inline constexpr std::string_view kRuns = "runs";                // runs/<id>/, runs/reused.jsonl: records/run_record.h
inline constexpr std::string_view kStaging = "tmp";              // being written, or left behind: staging.h
inline constexpr std::string_view kWork = "work";                // folders of running command stages: executors/command_folder.h
inline constexpr std::string_view kFiles = "files";              // files/<key>/: what an artifact holds as files: records/link_files.h
inline constexpr std::string_view kDocuments = "documents";      // documents/<path's digest>: remembered_documents.h
inline constexpr std::string_view kQuarantine = "quarantine";    // found damaged: quarantine.h
inline constexpr std::string_view kIndex = "index.sqlite";       // disposable: index.h. SQLite has its journal beside it, and
                                                                 // index_database.h what it could not use
inline constexpr std::string_view kLock = "in-use";              // store_lock.h
inline constexpr std::string_view kClaims = "claims";            // claims/<key>: who is computing it: key_claims.h
inline constexpr std::string_view kUploads = "uploads";          // uploads/<place>.<process>: remote/pending_uploads.h
inline constexpr std::string_view kResults = "results";          // links to the artifacts, unless --results names another folder
inline constexpr std::string_view kResultsFolders = "results-folders";  // results_folders.h
inline constexpr std::string_view kGitignore = ".gitignore";     // gitignore.h

inline constexpr std::string_view kArtifactExtension = ".h5";      // of artifacts, and of checkpoints, which have the same format
inline constexpr std::string_view kDamagedExtension = ".damaged-";  // + <n>: of an index that could not be used

// Whether satdl puts something of this name into the store's folder.
[[nodiscard]] constexpr bool is_ours(std::string_view name) {
    constexpr std::array kNames{kArtifacts, kCheckpoints, kFinalCheckpoints, kRuns, kStaging, kWork, kFiles, kDocuments,
                                kQuarantine, kUploads,    kResults,          kResultsFolders, kLock, kClaims, kGitignore};
    return std::ranges::find(kNames, name) != kNames.end() || name.starts_with(kIndex);
}

}  // namespace satdl::store_layout
