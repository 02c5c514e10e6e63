// The source files that a plan reads: their digests, and all files that do not match their manifests, reported together.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pipeline/core/digest.h"
#include "pipeline/dag/dag.h"
#include "pipeline/os/file_system.h"

namespace satdl {

// Returns the digest of a source file's current content. Throws Error if the file cannot be read.
class FileDigests {
public:
    virtual ~FileDigests() = default;
    [[nodiscard]] virtual Digest file_digest(const SourceFile& file) = 0;
    // What stat says of it now; nullopt if changes while a stage reads it do not matter.
    [[nodiscard]] virtual std::optional<FileStamp> file_stamp(const SourceFile& /*file*/) { return std::nullopt; }
};

// By NodeId, one per Node::files, for the wanted nodes; each file is read once, however many nodes use it.
// Throws Error{Store} naming every file that is missing or does not have the SHA-256 of its dataset's manifest.
[[nodiscard]] std::vector<std::vector<Digest>> digests_of_files(const Dag& dag, const std::vector<bool>& wanted,
                                                                FileDigests& files);

// Whether a node's files stayed as planned while its stage read them.
class WatchedFiles {
public:
    // When the stage is about to start. `digests`: one per Node::files.
    WatchedFiles(const Node& node, const std::vector<Digest>& digests, FileDigests& files);
    // When it has ended: a message that names a changed file; nullopt if none changed.
    [[nodiscard]] std::optional<std::string> changed() const;

private:
    const Node& node_;
    const std::vector<Digest>& digests_;
    FileDigests& files_;
    std::vector<std::optional<FileStamp>> before_;  // one per Node::files
};

}  // namespace satdl
