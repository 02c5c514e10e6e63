// Whose files are trusted. A DAG file is code: it says which stages run, on which of the user's files. So a file
// that another user can write is not run without --trust, as Git ignores repositories of other users (safe.directory).
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace satdl {

using OwnerOf = std::function<std::optional<uid_t>(const std::filesystem::path&)>;  // nullopt: unknown

[[nodiscard]] std::optional<uid_t> owner_of(const std::filesystem::path& path);

// The user, root, and the owner of this program: each of them controls what runs as the user already.
[[nodiscard]] std::vector<uid_t> trusted_owners();

// Throws Error{Usage} for the first file that belongs, or whose folder belongs, to another user: in their folder they could
// replace the file at any time.
void check_file_owners(std::span<const std::filesystem::path> files, std::span<const uid_t> trusted,
                            const OwnerOf& owner);

}  // namespace satdl
