// Small files of which only a program of the same user makes use, and which may be lost, old or half written at any time:
// their content must prove itself (a digest, say). So nothing is synced, and no failure is an error.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace satdl {

// nullopt if it cannot be read, and for a file that another user owns or may write: what is in it would run as this user.
[[nodiscard]] std::optional<std::string> read_own_file(const std::filesystem::path& path);

// Makes or overwrites it, in a folder that is there.
void write_own_file(const std::filesystem::path& path, std::string_view text);

}  // namespace satdl
