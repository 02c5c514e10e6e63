// Where a symbolic link leads, in one call: std::filesystem::read_symlink asks lstat first, and a run reads a link a stage.
#pragma once

#include <optional>
#include <string>

namespace satdl {

// nullopt if there is no such link, or what has its name is no symbolic link.
[[nodiscard]] std::optional<std::string> link_target(const std::string& link);

}  // namespace satdl
