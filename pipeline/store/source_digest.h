// The digest of a source file, read only where stat says that it may have changed.
#pragma once

#include "pipeline/core/digest.h"
#include "pipeline/os/file_system.h"
#include "pipeline/stage.h"
#include "pipeline/store/index.h"

namespace satdl {

// The digest of a source file: from the index where stat says the same as then, else by reading it. A file that was changed
// less than two seconds before it was read is not remembered (its mtime may not tell a later edit). Throws Error{Store} at
// the file's place where it is missing, changes while it is read, or is not what its dataset's manifest promises.
[[nodiscard]] Digest source_digest(const SourceFile& file, Index& index, FileSystem& files);
// The same without an index: by reading it.
[[nodiscard]] Digest source_digest(const SourceFile& file, FileSystem& files);

}  // namespace satdl
