#include "pipeline/catalog/library_check.h"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <string>
#include <string_view>

#include "pipeline/os/sigbus_guard.h"

namespace satdl {
namespace {

namespace fs = std::filesystem;

Error refused(const fs::path& path, const std::string& what, const std::string& hint) {
    return Error(ExitCode::Store, fmt::format("'{}' is not loaded: {}", printable(path.string()), what), hint);
}

// A user private group, as many systems give each user, with an umask that lets it write: its name is the user's, it
// is the user's primary group, and has no other member. Not for root: others may be in its group by their own passwd entry.
bool is_private_group(gid_t group) {
    std::array<char, 16384> user_buffer, group_buffer;
    passwd user{}, *found_user = nullptr;
    ::group entry{}, *found_group = nullptr;
    if (::geteuid() == 0) return false;
    if (::getpwuid_r(::geteuid(), &user, user_buffer.data(), user_buffer.size(), &found_user) != 0 || found_user == nullptr) return false;
    if (user.pw_gid != group) return false;
    if (::getgrgid_r(group, &entry, group_buffer.data(), group_buffer.size(), &found_group) != 0 || found_group == nullptr) return false;
    for (char** member = entry.gr_mem; *member != nullptr; ++member)
        if (std::string_view(*member) != user.pw_name) return false;
    return std::string_view(entry.gr_name) == user.pw_name;
}

// Anyone who may change the file, or what its name stands for, could run code as the user.
void check_writers(const fs::path& library, const fs::path& path, std::string_view what) {
    struct stat found {};
    if (::stat(path.c_str(), &found) != 0) throw FileError(errno, "stat", path);
    const std::string place = printable(path.string());
    if (found.st_uid != 0 && found.st_uid != ::geteuid()) {
        throw refused(library, fmt::format("its {} '{}' belongs to another user (uid {})", what, place, found.st_uid),
                      "copy the library to a folder that you own, or build it yourself");
    }
    // In a folder with the sticky bit (as /tmp) only the owner of a file may replace it.
    const bool sticky = S_ISDIR(found.st_mode) && (found.st_mode & S_ISVTX) != 0;
    const bool by_others = (found.st_mode & S_IWOTH) != 0;
    const bool by_group = (found.st_mode & S_IWGRP) != 0 && !is_private_group(found.st_gid);
    if (!sticky && (by_others || by_group)) {
        throw refused(library, fmt::format("others may write to its {} '{}' (mode {:04o})", what, place, found.st_mode & 07777),
                      fmt::format("chmod go-w '{}'", place));
    }
}

}  // namespace

LibraryFile checked_library(const fs::path& library, const Digest& described, const std::optional<FileStamp>& planned) {
    const auto files = real_file_system();
    const auto check_same = [&](const std::optional<FileStamp>& now, const FileStamp& before) {
        if (now != before) throw refused(library, "it was replaced after this run was planned", "run again to plan with the new one");
    };
    if (!files->stamp(library)) throw FileError(ENOENT, "load", library);
    const std::unique_ptr<File> file = files->open(library);
    const FileStamp identity = file->stamp();
    if (planned) check_same(identity, *planned);
    const fs::path path = fs::canonical(library);
    check_writers(library, path, "file");
    check_writers(library, path.parent_path(), "folder");
    const MappedFile mapped = file->map();
    const MappingWatch use(mapped.bytes);
    LibraryFile checked{identity, sha256(mapped.bytes)};
    use.throw_if_changed();
    check_same(files->stamp(library), checked.identity);
    if (checked.digest != described) {
        const std::string name = printable(library.filename().string());
        throw refused(library, fmt::format("the manifest next to it describes a different build of {}", name),
                      "rebuild it: this also rewrites its manifest. If the library was changed after its build (stripped, for example), run "
                      "satdl-manifest " + name);
    }
    return checked;
}

}  // namespace satdl
