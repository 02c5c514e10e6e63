#include "pipeline/catalog/library_check.h"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "pipeline/catalog/elf.h"
#include "pipeline/os/sigbus_guard.h"
#include "pipeline/stage.h"

namespace satdl {
namespace {

namespace fs = std::filesystem;

Error refused(const fs::path& path, const std::string& what, const std::string& hint) {
    return Error(ExitCode::Store, fmt::format("'{}' is not loaded: {}", printable(path.string()), what), hint);
}

// A group that is the user's alone, as many systems give everybody one, with an umask that lets it write: its name is the user's, it
// is the user's first, and nobody else is in it. Not for root: others may well be in its group by their own entry.
bool is_users_own(gid_t group) {
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

// Whoever may change the file, or what its name stands for, could run code as the user.
void check_writers(const fs::path& library, const fs::path& path, std::string_view what) {
    struct stat found {};
    if (::stat(path.c_str(), &found) != 0) throw FileError(errno, "look at", path);
    const std::string place = printable(path.string());
    if (found.st_uid != 0 && found.st_uid != ::geteuid()) {
        throw refused(library, fmt::format("its {} '{}' belongs to another user (number {})", what, place, found.st_uid),
                      "copy the library to a folder of your own, or build it yourself");
    }
    // In a folder with the sticky bit (as /tmp) nobody but the owner of a file may replace it.
    const bool sticky = S_ISDIR(found.st_mode) && (found.st_mode & S_ISVTX) != 0;
    const bool by_others = (found.st_mode & S_IWOTH) != 0;
    const bool by_group = (found.st_mode & S_IWGRP) != 0 && !is_users_own(found.st_gid);
    if (!sticky && (by_others || by_group)) {
        throw refused(library, fmt::format("others may write to its {} '{}' (mode {:04o})", what, place, found.st_mode & 07777),
                      fmt::format("chmod go-w '{}'", place));
    }
}

int abi_of(const fs::path& library, std::span<const std::byte> file) {
    const auto mark = exported_data(file, "satdl_stage_abi", sizeof(int));
    if (!mark) {
        throw Error(ExitCode::Store, fmt::format("'{}' is not a stage library: it does not export satdl_stage_abi", printable(library.string())),
                    "its source needs one SATDL_STAGE_LIBRARY(...): see pipeline/stage.h");
    }
    int abi = 0;
    std::memcpy(&abi, mark->data(), sizeof abi);
    return abi;
}

void check_abi(const fs::path& library, std::span<const std::byte> file) {
    const int abi = abi_of(library, file);
    if (abi == kStageAbi) return;
    throw Error(ExitCode::Store, fmt::format("'{}' was built for stage ABI {}, this is {}", printable(library.string()), abi, kStageAbi),
                "build the library anew against this satdl");
}

}  // namespace

LibraryFile checked_library(const fs::path& library, const std::optional<FileStamp>& planned) {
    const auto files = real_file_system();
    const auto identity = files->stamp(library);
    if (!identity) throw FileError(ENOENT, "load", library);
    const auto check_same = [&](const std::optional<FileStamp>& now, const FileStamp& before) {
        if (now != before) throw refused(library, "it was replaced since this run was planned", "run again: that plans with the new one");
    };
    if (planned) check_same(identity, *planned);
    const fs::path path = fs::canonical(library);
    check_writers(library, path, "file");
    check_writers(library, path.parent_path(), "folder");
    const MappedFile file = files->map(path);
    const MappingWatch use(file.bytes);
    check_abi(library, file.bytes);
    LibraryFile checked{*identity, sha256(file.bytes)};
    use.refuse_changed();
    check_same(files->stamp(library), checked.identity);
    return checked;
}

void check_library_abi(const fs::path& library) { check_abi(library, real_file_system()->map(library).bytes); }

}  // namespace satdl
