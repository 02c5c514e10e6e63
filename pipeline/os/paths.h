// Paths by the parts of their texts; nothing is asked of the disk.
#pragma once

#include <algorithm>
#include <filesystem>

namespace satdl {

// Whether `path` is `folder` or lies below it. Of links and of "..", whoever asks takes care: by a canonical path, or a normal one.
[[nodiscard]] inline bool is_within(const std::filesystem::path& path, const std::filesystem::path& folder) {
    return std::ranges::mismatch(folder, path).in1 == folder.end();
}

}  // namespace satdl
