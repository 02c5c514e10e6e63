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

// Throws Error{Store} naming the file and what to do: it cannot be read; it was replaced since `planned` (where that is known); it, or
// its folder, belongs to somebody other than root and the user, or others may write to it; it is no stage library, or one of another
// ABI. Then nothing of it has been loaded.
[[nodiscard]] LibraryFile checked_library(const std::filesystem::path& library, const std::optional<FileStamp>& planned);

// Just the last of these: for a library that this very build has made.
void check_library_abi(const std::filesystem::path& library);

}  // namespace satdl
