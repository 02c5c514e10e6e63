// Whose files may decide what runs here. A DAG file is code: it says which stages run, on which of the user's files. So one
// that somebody else can write is not run unasked, as Git does not take its configuration from others (safe.directory).
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace satdl {

using OwnerOf = std::function<std::optional<uid_t>(const std::filesystem::path&)>;  // nothing: cannot be told

[[nodiscard]] std::optional<uid_t> owner_of(const std::filesystem::path& path);

// The user, root, and who owns this program: each of them decides already what runs as the user.
[[nodiscard]] std::vector<uid_t> trusted_owners();

// Throws Error{Usage} for the first file that, or whose folder, belongs to anybody else: in a folder of theirs they could
// put another file in its place at any time.
void refuse_files_of_others(std::span<const std::filesystem::path> files, std::span<const uid_t> trusted,
                            const OwnerOf& owner);

}  // namespace satdl
