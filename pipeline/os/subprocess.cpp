#include "pipeline/os/subprocess.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <utility>

#include "pipeline/core/error.h"
#include "pipeline/core/unique_fd.h"
#include "pipeline/os/resource_usage.h"

extern char** environ;  // NOLINT: POSIX declares it nowhere

namespace satdl {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{1} << 16;
constexpr std::size_t kMaxStderrTail = 2000;
constexpr int kAside = 64;

struct Pipe {
    UniqueFd read_end, write_end;

    Pipe() {
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) != 0)
            throw Error(ExitCode::Store, fmt::format("cannot create a pipe: {}", std::strerror(errno)));
        read_end = UniqueFd(ends[0]);
        write_end = UniqueFd(ends[1]);
    }
};

// Reads once; false at the end.
template <typename Take>
bool read_piece(const UniqueFd& from, std::vector<std::byte>& buffer, const Take& take) {
    const ssize_t got = ::read(from.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) return true;
    if (got <= 0) return false;
    take(std::span(buffer).first(static_cast<std::size_t>(got)));
    return true;
}

// For a C interface, which does not write to them; a null pointer at the end.
std::vector<char*> pointers(const std::vector<std::string>& texts) {
    std::vector<char*> found;
    for (const std::string& text : texts) found.push_back(const_cast<char*>(text.c_str()));
    found.push_back(nullptr);
    return found;
}

}  // namespace

std::string signal_text(int number) {
    const char* const name = ::sigabbrev_np(number);
    const char* const words = ::sigdescr_np(number);
    if (name == nullptr) return fmt::format("signal {}", number);
    return fmt::format("SIG{} ({})", name, words != nullptr ? words : "");
}

ChildProcess::~ChildProcess() {
    if (pid_ < 0) return;
    kill();
    (void)wait();
}

int ChildProcess::start(const std::string& program, const std::vector<std::string>& argv, std::span<const PassedFd> passed,
                        ProcessGroup group, const ProcessOptions& options) {
    std::vector<char*> arguments = pointers(argv), variables;
    if (options.environment) variables = pointers(*options.environment);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (!options.folder.empty()) ::posix_spawn_file_actions_addchdir_np(&actions, options.folder.c_str());
    // Through high numbers that none of them gets: a passed descriptor may have a number that another one needs.
    std::vector<UniqueFd> aside;
    for (const PassedFd& one : passed) {
        aside.emplace_back(::fcntl(one.descriptor, F_DUPFD_CLOEXEC, kAside));
        ::posix_spawn_file_actions_adddup2(&actions, aside.back().get(), one.as);
    }
    posix_spawnattr_t attributes;
    ::posix_spawnattr_init(&attributes);
    sigset_t defaults;
    sigemptyset(&defaults);
    for (const int signal : {SIGPIPE, SIGINT, SIGTERM, SIGHUP}) sigaddset(&defaults, signal);
    ::posix_spawnattr_setsigdefault(&attributes, &defaults);
    sigset_t mask;
    sigemptyset(&mask);
    ::posix_spawnattr_setsigmask(&attributes, &mask);
    ::posix_spawnattr_setpgroup(&attributes, 0);
    ::posix_spawnattr_setflags(&attributes, static_cast<short>(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK |
                                                               (group == ProcessGroup::Own ? POSIX_SPAWN_SETPGROUP : 0)));
    const int number =
        ::posix_spawnp(&pid_, program.c_str(), &actions, &attributes, arguments.data(), options.environment ? variables.data() : environ);
    ::posix_spawnattr_destroy(&attributes);
    ::posix_spawn_file_actions_destroy(&actions);
    if (number != 0) pid_ = -1;
    return number;
}

void ChildProcess::kill() const { ::kill(pid_, SIGKILL); }

void ChildProcess::kill_group() const {
    ::kill(-pid_, SIGKILL);
    kill();  // also if it has not made its group yet, or has left it
}

int ChildProcess::wait() {
    int status = 0;
    rusage usage{};
    pid_t ended = 0;
    while ((ended = ::wait4(pid_, &status, 0, &usage)) < 0 && errno == EINTR) {
    }
    if (ended == pid_) add_child_usage(usage_of(usage));
    pid_ = -1;
    return status;
}

std::string ProcessResult::describe() const {
    const std::string tail = stderr_tail.empty() ? "" : ": " + stderr_tail;
    switch (kind) {
        case Kind::Ended: return fmt::format("exit code {}{}", code, tail);
        case Kind::Killed: return fmt::format("killed by {}{}", signal_text(code), tail);
        case Kind::Cut: return "cut off";
        case Kind::TimedOut: return fmt::format("did not end in time{}", tail);
        case Kind::NotStarted: break;
    }
    return code == ENOENT ? "is not installed" : fmt::format("cannot be started: {}", std::strerror(code));
}

ProcessResult run_process(const std::vector<std::string>& argv, const ProcessSink& sink) { return run_process(argv, {}, sink); }

ProcessResult run_process(const std::vector<std::string>& argv, const ProcessOptions& options, const ProcessSink& sink) {
    SATDL_CHECK(!argv.empty(), "a program without a name");
    Pipe out;
    Pipe err;
    ChildProcess child;
    const std::array passed{ChildProcess::PassedFd{out.write_end.get(), STDOUT_FILENO},
                            ChildProcess::PassedFd{options.stderr_to_stdout ? out.write_end.get() : err.write_end.get(), STDERR_FILENO}};
    const auto group = options.own_group ? ChildProcess::ProcessGroup::Own : ChildProcess::ProcessGroup::Ours;
    if (const int number = child.start(argv[0], argv, passed, group, options); number != 0)
        return {ProcessResult::Kind::NotStarted, number, ""};
    out.write_end.close();
    err.write_end.close();

    using SteadyTime = std::chrono::steady_clock;
    const auto begin = SteadyTime::now();
    const auto left_milliseconds = [&] {  // rounded up; -1: there is no limit
        if (!options.limit_seconds) return -1;
        const std::chrono::duration<double> gone = SteadyTime::now() - begin;
        return static_cast<int>(std::ceil(std::max(0.0, *options.limit_seconds - gone.count()) * 1000));
    };
    bool wanted = true, in_time = true;
    std::string stderr_tail;
    std::vector<std::byte> buffer(kPieceBytes);
    const auto listen = [&](std::span<const std::byte> piece) {
        stderr_tail.append(reinterpret_cast<const char*>(piece.data()), piece.size());
        if (stderr_tail.size() > 2 * kMaxStderrTail) stderr_tail.erase(0, stderr_tail.size() - kMaxStderrTail);
    };
    std::array<pollfd, 2> both{{{out.read_end.get(), POLLIN, 0}, {err.read_end.get(), POLLIN, 0}}};
    while (wanted && (both[0].fd >= 0 || both[1].fd >= 0)) {
        const int left = left_milliseconds();
        if (left == 0) {
            in_time = false;
            break;
        }
        const int ready = ::poll(both.data(), both.size(), left);
        if (ready < 0 && errno != EINTR) break;
        if (ready <= 0) continue;
        if (both[0].revents != 0 && !read_piece(out.read_end, buffer, [&](auto piece) { wanted = sink(piece); }))
            both[0].fd = -1;
        if (both[1].revents != 0 && !read_piece(err.read_end, buffer, listen)) both[1].fd = -1;
    }
    if ((!wanted || !in_time) && options.own_group) child.kill_group();
    else if (!wanted || !in_time) child.kill();
    const int status = child.wait();
    ProcessResult result;
    while (!stderr_tail.empty() && stderr_tail.back() == '\n') stderr_tail.pop_back();
    if (stderr_tail.size() > kMaxStderrTail) stderr_tail.erase(0, stderr_tail.size() - kMaxStderrTail);
    std::ranges::replace(stderr_tail, '\n', ' ');
    result.stderr_tail = printable(stderr_tail);
    if (!wanted) result.kind = ProcessResult::Kind::Cut;
    else if (!in_time) result.kind = ProcessResult::Kind::TimedOut;
    else if (WIFSIGNALED(status)) result = {ProcessResult::Kind::Killed, WTERMSIG(status), result.stderr_tail};
    else result.code = WEXITSTATUS(status);
    return result;
}

}  // namespace satdl
