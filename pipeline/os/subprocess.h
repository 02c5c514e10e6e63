// Another program, run to its end: for the few things that Debian's own tools do best (gzip, tar, curl, npm).
//
// Arguments are a list and never pass a shell, so no name of a file or a package can become a command. What the program
// writes comes to us through a pipe: if this process dies, the other dies of SIGPIPE at its next write, and needs no reaper.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace satdl {

struct ProcessResult {
    enum class Kind {
        Ended,       // with `code`
        Killed,      // by signal `code`
        Cut,         // the sink returned false
        TimedOut,    // and was killed
        NotStarted,  // errno `code`; ENOENT: no such program
    } kind = Kind::Ended;
    int code = 0;
    std::string stderr_tail;  // the end of what it wrote to stderr, printable

    [[nodiscard]] bool good() const { return kind == Kind::Ended && code == 0; }
    // "exit code 22: curl: (22) The requested URL returned error: 404"
    [[nodiscard]] std::string describe() const;
};

// "SIGSEGV (Segmentation fault)"
[[nodiscard]] std::string signal_text(int number);

struct ProcessOptions {
    std::filesystem::path folder{};                          // in which it starts; "": ours
    std::optional<std::vector<std::string>> environment{};  // "NAME=text"; nullopt: ours
    // Of run_process():
    bool stderr_to_stdout = false;         // the sink takes both
    bool own_group = false;                // a terminal's signals do not reach it; if it is killed, all of its group is
    std::optional<double> limit_seconds{};  // how long it may go on writing before it is killed
};

// A started program; killed, if need be, and waited for whatever happens.
class ChildProcess {
public:
    struct PassedFd {
        int descriptor;  // of ours
        int as;          // the number under which the program finds it
    };
    enum class ProcessGroup { Ours, Own };  // which also decides whether a terminal's signals reach it

    ChildProcess() = default;
    ~ChildProcess();
    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;

    // `program` is looked for in PATH; stdin is empty, other descriptors than those given are closed if they are ours. The program
    // has the signal handling as if a shell had started it, whatever this process ignores or blocks. Returns errno if it cannot be started.
    [[nodiscard]] int start(const std::string& program, const std::vector<std::string>& argv, std::span<const PassedFd> passed,
                            ProcessGroup group, const ProcessOptions& options = {});
    void kill() const;
    void kill_group() const;  // of a program started with ProcessGroup::Own
    [[nodiscard]] int wait();  // its status, as waitpid has it

private:
    pid_t pid_ = -1;
};

// Takes what the program writes to stdout, piece by piece; false: enough, the program is killed.
using ProcessSink = std::function<bool(std::span<const std::byte>)>;

// argv[0] is looked for in PATH; stdin is empty. What the sink throws is passed on, after the program was killed.
[[nodiscard]] ProcessResult run_process(const std::vector<std::string>& argv, const ProcessSink& sink);
[[nodiscard]] ProcessResult run_process(const std::vector<std::string>& argv, const ProcessOptions& options, const ProcessSink& sink);

}  // namespace satdl
