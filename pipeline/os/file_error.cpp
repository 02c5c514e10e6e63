#include "pipeline/os/file_error.h"

#include <fmt/format.h>

#include <cerrno>
#include <system_error>

namespace satdl {
namespace {

std::string hint_for(int number) {
    switch (number) {
        case ENOSPC:
            return "the disk is full: free some space, or put the store elsewhere with --store";
        case EDQUOT:
            return "your disk quota is used up: free some space, or put the store elsewhere with --store";
        case EACCES:
        case EPERM:
            return "you lack permission: change the permissions, or put the store elsewhere with --store";
        case EROFS:
            return "that file system is read-only: put the store elsewhere with --store";
        case EMFILE:
        case ENFILE:
            return "too many files are open: raise the limit with `ulimit -n`";
        case EFBIG:
            return "the file system or `ulimit -f` does not allow files of that size";
        case ENAMETOOLONG:
            return "the path is too long for that file system: use a store with a shorter path";
        case EIO:
            return "the disk failed: check the system log (`dmesg`) before you trust it again";
        default:
            return {};
    }
}

}  // namespace

FileError::FileError(int number, const std::string& call, const std::filesystem::path& path)
    : FileError(number, call, path, std::generic_category().message(number)) {}

FileError::FileError(int number, const std::string& call, const std::filesystem::path& path, const std::string& reason)
    : Error(ExitCode::Store, fmt::format("cannot {} '{}': {}", call, printable(path.string()), reason), hint_for(number)),
      number_(number) {}

}  // namespace satdl
