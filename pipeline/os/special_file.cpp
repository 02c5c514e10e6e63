#include "pipeline/os/special_file.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>

#include "pipeline/os/file_error.h"

namespace satdl {

std::string_view special_kind_of(const std::filesystem::path& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return "";
    switch (status.st_mode & S_IFMT) {
        case S_IFDIR: return "a folder";
        case S_IFIFO: return "a named pipe";
        case S_IFSOCK: return "a socket";
        case S_IFCHR:
        case S_IFBLK: return "a device";
        default: return "";
    }
}

void check_is_regular(const std::filesystem::path& path) {
    if (const auto kind = special_kind_of(path); !kind.empty())
        throw FileError(EINVAL, "read", path, fmt::format("it is {}, not a file", kind));
}

}  // namespace satdl
