// The source files that a plan reads: their digests, and every file that is not as promised told at once.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pipeline/core/digest.h"
#include "pipeline/dag/dag.h"
#include "pipeline/os/file_system.h"

namespace satdl {

// Tells the digest of a source file's content now. Throws Error where the file cannot be read.
class FileDigests {
public:
    virtual ~FileDigests() = default;
    [[nodiscard]] virtual Digest file_digest(const SourceFile& file) = 0;
    // What stat says of it now; nothing where nobody minds that it may change under a stage that reads it.
    [[nodiscard]] virtual std::optional<FileStamp> file_stamp(const SourceFile& /*file*/) { return std::nullopt; }
};

// By NodeId, one per Node::files, for the nodes that are wanted; each file is asked for once, however many nodes read it.
// Throws Error{Store} naming every file that is missing or has not the SHA-256 that its dataset's manifest promises.
[[nodiscard]] std::vector<std::vector<Digest>> digests_of_files(const Dag& dag, const std::vector<bool>& wanted,
                                                                FileDigests& files);

// Whether a node's files stayed what the plan took them for while its stage read them.
class WatchedFiles {
public:
    // When the stage is about to start. `digests`: one per Node::files.
    WatchedFiles(const Node& node, const std::vector<Digest>& digests, FileDigests& files);
    // When it has ended: which file is another than it was, in words; nothing where none is.
    [[nodiscard]] std::optional<std::string> changed() const;

private:
    const Node& node_;
    const std::vector<Digest>& digests_;
    FileDigests& files_;
    std::vector<std::optional<FileStamp>> before_;  // one per Node::files
};

}  // namespace satdl
