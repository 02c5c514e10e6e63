// The source files that a plan reads: their digests, and every file that is not as promised told at once.
#pragma once

#include <vector>

#include "pipeline/dag.h"
#include "pipeline/digest.h"

namespace satdl {

// Tells the digest of a source file's content now. Throws Error where the file cannot be read.
class FileDigests {
public:
    virtual ~FileDigests() = default;
    [[nodiscard]] virtual Digest file_digest(const SourceFile& file) = 0;
};

// By NodeId, one per Node::files, for the nodes that are wanted; each file is asked for once, however many nodes read it.
// Throws Error{Store} naming every file that is missing or has not the SHA-256 that its dataset's manifest promises.
[[nodiscard]] std::vector<std::vector<Digest>> digests_of_files(const Dag& dag, const std::vector<bool>& wanted,
                                                                FileDigests& files);

}  // namespace satdl
