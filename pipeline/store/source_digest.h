// The digest of a source file, which is read only if stat says that it may have changed. That of a folder is one of the names and contents
// of the files in it.
#pragma once

#include "pipeline/core/digest.h"
#include "pipeline/os/file_system.h"
#include "pipeline/stage.h"
#include "pipeline/store/index.h"

namespace satdl {

// The digest of a source file: from the index if stat is the same as then, else by reading it. A file that was changed
// less than two seconds before it was read is not cached (its mtime may not show a later edit). Throws Error{Store} at
// the file's place if it is missing, changes while it is read, or does not match its dataset's manifest.
[[nodiscard]] Digest source_digest(const SourceFile& file, Index& index, FileSystem& files);
// The same without an index: by reading it.
[[nodiscard]] Digest source_digest(const SourceFile& file, FileSystem& files);

// What stat says of it; of a folder: of all files in it together. nullopt if it is not there.
[[nodiscard]] std::optional<FileStamp> source_stamp(const SourceFile& file, FileSystem& files);

}  // namespace satdl
