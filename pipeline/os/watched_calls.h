// The system calls that file_watch.h watches, and how a process asks the kernel to notify of them (seccomp_unotify(2)). Apart from
// file_watch.h because the small program between satdl and a stage does this (executors/reaper_main.cpp).
#pragma once

#include <sys/syscall.h>

#include "pipeline/core/unique_fd.h"

namespace satdl {

inline constexpr int kNoArgument = -1;

// A system call that names a file: which of its arguments are the folder that a relative path begins at, the path, and the flags of
// open(2). One that names two has two entries.
struct WatchedCall {
    int number;
    int folder;
    int path;
    int flags;  // kNoArgument: it is of one kind
    enum class Kind {
        Read,
        Write,       // or makes it
        MakeFolder,
        Change,      // moves, links or removes it; the path itself, not what it leads to
        Run,
    } kind;  // without flags
};
inline constexpr WatchedCall kWatchedCalls[] = {
#if defined(SYS_open)  // younger architectures have only those that take a folder
    {SYS_open, kNoArgument, 0, 1, {}},
    {SYS_creat, kNoArgument, 0, kNoArgument, WatchedCall::Kind::Write},
    {SYS_mkdir, kNoArgument, 0, kNoArgument, WatchedCall::Kind::MakeFolder},
    {SYS_rmdir, kNoArgument, 0, kNoArgument, WatchedCall::Kind::Change},
    {SYS_unlink, kNoArgument, 0, kNoArgument, WatchedCall::Kind::Change},
    {SYS_rename, kNoArgument, 0, kNoArgument, WatchedCall::Kind::Change},
    {SYS_rename, kNoArgument, 1, kNoArgument, WatchedCall::Kind::Change},
    {SYS_link, kNoArgument, 0, kNoArgument, WatchedCall::Kind::Change},
    {SYS_link, kNoArgument, 1, kNoArgument, WatchedCall::Kind::Change},
    {SYS_symlink, kNoArgument, 1, kNoArgument, WatchedCall::Kind::Change},
#endif
    {SYS_openat, 0, 1, 2, {}},
    {SYS_openat2, 0, 1, 2, {}},
    {SYS_mkdirat, 0, 1, kNoArgument, WatchedCall::Kind::MakeFolder},
    {SYS_unlinkat, 0, 1, kNoArgument, WatchedCall::Kind::Change},
    {SYS_renameat, 0, 1, kNoArgument, WatchedCall::Kind::Change},
    {SYS_renameat, 2, 3, kNoArgument, WatchedCall::Kind::Change},
    {SYS_renameat2, 0, 1, kNoArgument, WatchedCall::Kind::Change},
    {SYS_renameat2, 2, 3, kNoArgument, WatchedCall::Kind::Change},
    {SYS_linkat, 0, 1, kNoArgument, WatchedCall::Kind::Change},
    {SYS_linkat, 2, 3, kNoArgument, WatchedCall::Kind::Change},
    {SYS_symlinkat, 1, 2, kNoArgument, WatchedCall::Kind::Change},
    {SYS_truncate, kNoArgument, 0, kNoArgument, WatchedCall::Kind::Write},
    {SYS_execve, kNoArgument, 0, kNoArgument, WatchedCall::Kind::Run},
    {SYS_execveat, 0, 1, kNoArgument, WatchedCall::Kind::Run},
};

// For this process and all that it starts: what to give to a FileWatch, in another process, before the next file is opened here. No
// descriptor if the kernel does not allow it. Precondition: PR_SET_NO_NEW_PRIVS.
[[nodiscard]] UniqueFd watch_own_files();

}  // namespace satdl
