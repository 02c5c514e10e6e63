// Which files a program and all its descendants open, while they do it: seccomp's user notification (seccomp_unotify(2)), which needs no
// privileges. Each such call waits until the watcher has seen its arguments, and then goes on as if nothing had been.
//
// It knows what is asked for, not what comes of it, and a program that wants to can deceive it: it is for messages, never for safety, which
// is landlock.h's. Rejected: ptrace(2), which stops every signal as well; fanotify(7), which needs privileges; LD_PRELOAD, which static
// programs escape.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <string>
#include <thread>

#include "pipeline/core/unique_fd.h"
#include "pipeline/os/watched_calls.h"

namespace satdl {

struct FileUse {
    using Kind = WatchedCall::Kind;
    Kind kind = Kind::Read;
    std::filesystem::path path{};  // absolute; as the program wrote it, so perhaps through links
    pid_t process = 0;
};

// The name of the program that runs in a process, as `ps` shows it; "" if it is gone.
[[nodiscard]] std::string program_name(pid_t process);

class FileWatch {
public:
    // `listener`: of watch_own_files() in another process. Until it is destroyed; then watched programs that still run can open nothing.
    // `take` is called in a thread of its own, while the program waits.
    FileWatch(UniqueFd listener, std::function<void(const FileUse&)> take);
    ~FileWatch();
    FileWatch(const FileWatch&) = delete;
    FileWatch& operator=(const FileWatch&) = delete;

private:
    void loop();

    const UniqueFd listener_;
    const std::function<void(const FileUse&)> take_;
    UniqueFd stop_;  // an eventfd
    std::thread thread_;
};

}  // namespace satdl
