// satdl-reaper: reaper.h says what it does and how it is called.
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "pipeline/core/unique_fd.h"
#include "pipeline/executors/reaper.h"
#include "pipeline/os/descriptor_message.h"
#include "pipeline/os/landlock.h"
#include "pipeline/os/watched_calls.h"

namespace satdl {
namespace {

constexpr std::array kHandledSignals{SIGCHLD, SIGINT, SIGTERM, SIGHUP};
constexpr int kMostTries = 100;
constexpr useconds_t kTryMicroseconds = 10'000;
constexpr int kUsage = 2;
constexpr int kNotStarted = 127;  // as a shell exits then; satdl knows better from the message

struct Job {
    std::optional<std::uint64_t> memory_bytes{};
    bool is_program = false, is_watched = false, is_restricted = false;
    char** command = nullptr;  // the program, its argv, a null pointer

    // How many descriptors it inherits besides the lifeline.
    [[nodiscard]] int worker_descriptors() const { return is_program ? static_cast<int>(is_restricted) : 2; }
};

// nullopt: satdl did not call it.
std::optional<Job> job_from(int argc, char** argv) {
    struct stat lifeline {};
    if (argc < 6 || std::string_view(argv[1]) != kReaperProtocol || ::fstat(kReaperLifeline, &lifeline) != 0 || !S_ISSOCK(lifeline.st_mode))
        return std::nullopt;
    Job job;
    if (const std::uint64_t bytes = std::strtoull(argv[2], nullptr, 10)) job.memory_bytes = bytes;
    job.is_program = std::string_view(argv[3]) == kReaperOfProgram;
    for (int at = 4; at + 2 < argc; ++at) {
        const std::string_view word = argv[at];
        if (word == kReaperWatched) job.is_watched = true;
        else if (word == kReaperRestricted) job.is_restricted = true;
        else if (word == kReaperEndOfOptions) job.command = argv + at + 1;
        else return std::nullopt;
        if (job.command != nullptr) return job;
    }
    return std::nullopt;
}

void send(const UniqueFd& lifeline, const ReaperMessage& message, const UniqueFd& file = UniqueFd()) {
    iovec bytes{const_cast<ReaperMessage*>(&message), sizeof message};
    msghdr header{};
    header.msg_iov = &bytes;
    header.msg_iovlen = 1;
    DescriptorMessage with_file;
    if (file) with_file.attach(file, header);
    (void)::sendmsg(lifeline.get(), &header, MSG_NOSIGNAL);
}

// ---- the worker ----

struct StartSignal {  // from the reaper to the worker, once it is under its limit; without one it need not wait
    LimitKind limit;
};

// From here on satdl sees what is opened, and the kernel holds it to the rules. False: errno says why not.
bool restrict_files(const Job& job, const UniqueFd& lifeline) {
    if (!job.is_watched && !job.is_restricted) return true;
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
    if (job.is_watched)
        if (const UniqueFd listener = watch_own_files()) send(lifeline, {.kind = ReaperMessage::Kind::Watch}, listener);
    return !job.is_restricted || enter_landlock(UniqueFd(kReaperRules));
}

[[noreturn]] void become_worker(const Job& job, pid_t reaper, const UniqueFd& lifeline, const UniqueFd& start_pipe, const sigset_t& mask) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != reaper) ::_exit(1);
    ::setpgid(0, 0);
    ::sigprocmask(SIG_SETMASK, &mask, nullptr);
    StartSignal start{LimitKind::None};
    if (job.memory_bytes && ::read(start_pipe.get(), &start, sizeof start) != sizeof start) ::_exit(1);
    if (start.limit == LimitKind::Data) MemoryLimit::limit_data(*job.memory_bytes);
    if (job.is_program) ::signal(SIGUSR1, SIG_DFL);
    if (restrict_files(job, lifeline)) {
        // A program that was copied a moment ago may still be open for writing in a process that another thread of satdl has just forked.
        for (int i = 0; i < kMostTries; ++i) {
            ::execvp(job.command[0], job.command + 1);
            if (errno != ETXTBSY) break;
            ::usleep(kTryMicroseconds);
        }
    }
    send(lifeline, {.kind = ReaperMessage::Kind::NotStarted, .number = errno});
    ::_exit(kNotStarted);
}

// ---- the reaper ----

// The number after "12 (a name) S ", where the name may hold anything; 0: not known.
pid_t parent_of(const char* process) {
    std::array<char, 64> path{};
    std::array<char, 512> text{};
    std::snprintf(path.data(), path.size(), "/proc/%.16s/stat", process);
    const UniqueFd file(::open(path.data(), O_RDONLY | O_CLOEXEC));
    if (!file || ::read(file.get(), text.data(), text.size() - 1) <= 0) return 0;
    const char* const after = std::strrchr(text.data(), ')');
    return after != nullptr && std::strlen(after) > 4 ? std::atoi(after + 4) : 0;
}

// The processes of which this one is the parent.
std::vector<pid_t> children() {
    std::vector<pid_t> found;
    DIR* const folder = ::opendir("/proc");
    if (folder == nullptr) return found;
    while (const dirent* const entry = ::readdir(folder)) {
        const pid_t pid = std::atoi(entry->d_name);
        if (pid > 0 && parent_of(entry->d_name) == ::getpid()) found.push_back(pid);
    }
    ::closedir(folder);
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
        send(lifeline_, {.kind = ReaperMessage::Kind::Ended, .number = status_, .limit = limit, .out_of_memory = out_of_memory});
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

void supervise(UniqueFd lifeline, pid_t worker, const Job& job, const UniqueFd& signals, const UniqueFd& start_pipe) {
    MemoryLimit limit(job.memory_bytes);
    const StartSignal start{limit.add_process(worker)};
    if (job.memory_bytes && ::write(start_pipe.get(), &start, sizeof start) != sizeof start) ::kill(worker, SIGKILL);
    Reaper reaper(std::move(lifeline), worker);
    reaper.watch(signals);
    reaper.end_all();
    reaper.report(start.limit, limit.oom_killed());
}

int run(const Job& job) {
    UniqueFd lifeline(kReaperLifeline);
    ::fcntl(lifeline.get(), F_SETFD, FD_CLOEXEC);
    ::signal(SIGUSR1, SIG_IGN);  // Slurm sends it to every process of a job: satdl asks the stage to stop
    sigset_t handled, before;
    sigemptyset(&handled);
    for (const int signal : kHandledSignals) sigaddset(&handled, signal);
    ::sigprocmask(SIG_BLOCK, &handled, &before);
    const UniqueFd signals(::signalfd(-1, &handled, SFD_CLOEXEC));
    std::array<int, 2> pipe{};
    const pid_t reaper = ::getpid();
    pid_t worker = -1;
    if (signals && ::pipe2(pipe.data(), O_CLOEXEC) == 0 && ::prctl(PR_SET_CHILD_SUBREAPER, 1) == 0) worker = ::fork();
    if (worker < 0) {
        send(lifeline, {.kind = ReaperMessage::Kind::NotStarted, .number = errno});
        return 1;
    }
    const UniqueFd read_end(pipe[0]), write_end(pipe[1]);
    if (worker == 0) become_worker(job, reaper, lifeline, read_end, before);
    ::setpgid(worker, worker);
    for (int i = 1; i <= job.worker_descriptors(); ++i) ::close(kReaperLifeline + i);
    supervise(std::move(lifeline), worker, job, signals, write_end);
    return 0;
}

}  // namespace
}  // namespace satdl

int main(int argc, char** argv) {
    const auto job = satdl::job_from(argc, argv);
    if (!job) {
        std::fprintf(stderr, "satdl-reaper: internal to satdl; do not call it yourself\n");
        return satdl::kUsage;
    }
    // Without the destructors of libraries, which have nothing to add.
    ::_exit(satdl::run(*job));
}
