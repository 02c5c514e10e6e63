#include "pipeline/os/file_trust.h"

#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "pipeline/core/error.h"

namespace satdl {
namespace {

std::string name_of_user(uid_t user) {
    const passwd* const entry = ::getpwuid(user);
    return entry != nullptr ? fmt::format("{} (uid {})", printable(entry->pw_name), user) : fmt::format("uid {}", user);
}

}  // namespace

std::optional<uid_t> owner_of(const std::filesystem::path& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return std::nullopt;
    return status.st_uid;
}

std::vector<uid_t> trusted_owners() {
    std::vector<uid_t> owners{::geteuid(), 0};
    if (const auto owner = owner_of("/proc/self/exe")) owners.push_back(*owner);
    return owners;
}

void check_file_owners(std::span<const std::filesystem::path> files, std::span<const uid_t> trusted,
                            const OwnerOf& owner) {
    for (const std::filesystem::path& file : files) {
        const std::filesystem::path folder = file.has_parent_path() ? file.parent_path() : ".";
        for (const std::filesystem::path& path : {file, folder}) {
            const std::optional<uid_t> found = owner(path);
            if (found && std::ranges::find(trusted, *found) != trusted.end()) continue;
            const std::string whose = found ? "belongs to " + name_of_user(*found) : "has an unknown owner";
            throw Error(ExitCode::Usage,
                        fmt::format("{}: {} {}, so it is not trusted: a DAG file decides what runs here",
                                    printable(file.string()), path == file ? "this file" : "its folder", whose),
                        "review it and its includes, then use --trust (or SATDL_TRUST=1), or copy it into your own folder");
        }
    }
}

}  // namespace satdl
