// The file of a stage library, looked at before any code of it runs: dlopen already runs the constructors of a library's globals.
#pragma once

#include <filesystem>
#include <optional>

#include "pipeline/core/digest.h"
#include "pipeline/os/file_system.h"

namespace satdl {

struct LibraryFile {
    FileStamp identity;
    Digest digest;  // SHA-256 of the file, as sha256sum has it
};

// `described`: the digest of the library that the manifest describes, ABI included. Throws Error{Store} naming the file and what to do: it
// cannot be read; it was replaced since `planned` (if that is known); it, or its folder, belongs to a user other than root and the
// user, or others may write to it; it is another file than the manifest describes. Then it has not been loaded.
//
// Rejected: comparing what the loaded library says of itself with its manifest, and its ABI read from the ELF file before: more code, which
// showed less.
[[nodiscard]] LibraryFile checked_library(const std::filesystem::path& library, const Digest& described, const std::optional<FileStamp>& planned);

}  // namespace satdl
