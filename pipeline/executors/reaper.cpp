#include "pipeline/executors/reaper.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>
#include <vector>

#include "pipeline/core/error.h"

namespace satdl {
namespace {

constexpr std::array kHandledSignals{SIGCHLD, SIGINT, SIGTERM, SIGHUP};

struct StartSignal {  // from the reaper to the worker, once it is under its limit
    LimitKind limit;
};

// The processes of which this one is the parent.
std::vector<pid_t> children() {
    std::vector<pid_t> found;
    std::error_code error;
    for (std::filesystem::directory_iterator entry("/proc", error), end; !error && entry != end; entry.increment(error)) {
        const std::string name = entry->path().filename();
        pid_t pid = 0;
        if (std::from_chars(name.data(), name.data() + name.size(), pid).ptr != name.data() + name.size()) continue;
        std::ifstream file(entry->path() / "stat");  // "12 (a name) S 11 ...": the name may hold anything
        std::string line;
        std::getline(file, line);
        const std::size_t after = line.rfind(") ");
        if (after == std::string::npos || line.size() < after + 5) continue;
        if (std::atoi(line.c_str() + after + 4) == ::getpid()) found.push_back(pid);
    }
    return found;
}

class Reaper {
public:
    Reaper(UniqueFd lifeline, pid_t worker) : lifeline_(std::move(lifeline)), worker_(worker) {}

    // Until the worker has ended, or must.
    void watch(const UniqueFd& signals) {
        std::array<pollfd, 2> both{{{lifeline_.get(), POLLIN, 0}, {signals.get(), POLLIN, 0}}};
        while (!worker_ended()) {
            if (::poll(both.data(), both.size(), -1) < 0) continue;
            if (both[0].revents != 0 && !take_request()) return;
            signalfd_siginfo signal{};
            if (both[1].revents == 0 || ::read(signals.get(), &signal, sizeof signal) != sizeof signal) continue;
            if (static_cast<int>(signal.ssi_signo) != SIGCHLD) return;
        }
    }

    // The worker's group first (while its number is still the worker's), then whatever else has become our child.
    void end_all() {
        ::kill(-worker_, SIGKILL);
        while (reap(WNOHANG)) {
            for (const pid_t child : children()) ::kill(child, SIGKILL);
            (void)reap(0);
        }
    }

    void report(LimitKind limit, bool out_of_memory) const {
        const WorkerEnd end{status_, limit, out_of_memory};
        (void)::send(lifeline_.get(), &end, sizeof end, MSG_NOSIGNAL);
    }

private:
    // False: satdl has closed the lifeline, or is gone.
    [[nodiscard]] bool take_request() const {
        char request = 0;
        if (::read(lifeline_.get(), &request, 1) != 1) return false;
        if (request == kTerminateWorker) ::kill(-worker_, SIGTERM);
        return true;
    }

    [[nodiscard]] bool worker_ended() const {
        siginfo_t found{};
        return ::waitid(P_PID, static_cast<id_t>(worker_), &found, WEXITED | WNOHANG | WNOWAIT) == 0 && found.si_pid == worker_;
    }

    // Collects ended children; without WNOHANG, at least one. Returns whether children are left.
    bool reap(int flags) {
        for (;;) {
            int status = 0;
            const pid_t ended = ::waitpid(-1, &status, flags);
            if (ended < 0 && errno == EINTR) continue;
            if (ended < 0) return false;
            if (ended == 0) return true;
            if (ended == worker_) status_ = status;
            flags = WNOHANG;
        }
    }

    UniqueFd lifeline_;
    const pid_t worker_;
    int status_ = 0;
};

void supervise(UniqueFd lifeline, pid_t worker, std::optional<std::uint64_t> memory_bytes, const UniqueFd& signals, const UniqueFd& start_pipe) {
    MemoryLimit limit(memory_bytes);
    const StartSignal message{limit.add_process(worker)};
    if (::write(start_pipe.get(), &message, sizeof message) != sizeof message) ::kill(worker, SIGKILL);
    Reaper reaper(std::move(lifeline), worker);
    reaper.watch(signals);
    reaper.end_all();
    reaper.report(message.limit, limit.oom_killed());
}

LimitKind become_worker(pid_t reaper, const UniqueFd& start_pipe, const sigset_t& mask, std::optional<std::uint64_t> memory_bytes) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != reaper) ::_exit(1);
    ::setpgid(0, 0);
    ::sigprocmask(SIG_SETMASK, &mask, nullptr);
    StartSignal message{};
    if (::read(start_pipe.get(), &message, sizeof message) != sizeof message) ::_exit(1);
    if (message.limit == LimitKind::Data) MemoryLimit::limit_data(*memory_bytes);
    return message.limit;
}

}  // namespace

LimitKind fork_under_reaper(UniqueFd lifeline, std::optional<std::uint64_t> memory_bytes, std::span<UniqueFd* const> of_worker) {
    sigset_t handled, before;
    sigemptyset(&handled);
    for (const int signal : kHandledSignals) sigaddset(&handled, signal);
    ::sigprocmask(SIG_BLOCK, &handled, &before);
    UniqueFd signals(::signalfd(-1, &handled, SFD_CLOEXEC));
    std::array<int, 2> pipe{};
    if (!signals || ::pipe2(pipe.data(), O_CLOEXEC) != 0 || ::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
        throw Error(ExitCode::Store, std::string("cannot set up the stage's process: ") + std::strerror(errno));
    const UniqueFd read_end(pipe[0]), write_end(pipe[1]);
    const pid_t reaper = ::getpid();
    const pid_t worker = ::fork();
    if (worker < 0) throw Error(ExitCode::Store, std::string("cannot start the stage's process: ") + std::strerror(errno));
    if (worker == 0) return become_worker(reaper, read_end, before, memory_bytes);
    ::setpgid(worker, worker);
    for (UniqueFd* const descriptor : of_worker) descriptor->close();
    supervise(std::move(lifeline), worker, memory_bytes, signals, write_end);
    ::_exit(0);
}

std::optional<WorkerEnd> worker_end(const std::string& message) {
    WorkerEnd end;
    if (message.size() != sizeof end) return std::nullopt;
    std::memcpy(&end, message.data(), sizeof end);
    return end;
}

}  // namespace satdl
