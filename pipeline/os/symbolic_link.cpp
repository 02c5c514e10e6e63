#include "pipeline/os/symbolic_link.h"

#include <limits.h>
#include <unistd.h>

#include <array>

namespace satdl {

std::optional<std::string> link_target(const std::string& link) {
    std::array<char, PATH_MAX> target;  // Linux allows no longer one
    const ssize_t bytes = ::readlink(link.c_str(), target.data(), target.size());
    if (bytes < 0) return std::nullopt;
    return std::string(target.data(), static_cast<std::size_t>(bytes));
}

}  // namespace satdl
