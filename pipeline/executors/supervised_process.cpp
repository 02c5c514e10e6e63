#include "pipeline/executors/supervised_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "pipeline/core/error.h"
#include "pipeline/executors/worker_process.h"

namespace satdl {
namespace {

constexpr int kPollMilliseconds = 20;  // for a request to stop, and the time
constexpr int kReadsAtOnce = 64;       // of output: an endless writer must be stopped and timed out, too
constexpr std::size_t kLastLines = 10;

}  // namespace

SupervisedProcess::SupervisedProcess(const Node& node, StageContext& context, const std::string& program) : node_(node), context_(context) {
    auto [ours, theirs] = socket_pair();
    auto [our_life, their_life] = socket_pair();
    std::array<int, 2> pipe{};
    if (::pipe2(pipe.data(), O_CLOEXEC) != 0) throw not_started(errno);
    output_ = UniqueFd(pipe[0]);
    const UniqueFd their_output(pipe[1]);
    ::fcntl(output_.get(), F_SETFL, O_NONBLOCK);
    using PassedFd = ChildProcess::PassedFd;
    const std::array passed{PassedFd{their_output.get(), STDOUT_FILENO}, PassedFd{their_output.get(), STDERR_FILENO},
                            PassedFd{theirs.get(), kWorkerChannel}, PassedFd{their_life.get(), kWorkerLifeline},
                            PassedFd{stop_.file().get(), kWorkerStop}};
    const auto memory = node.policy.memory_bytes.value_or(0);
    const std::vector<std::string> argv{"satdl", std::string(kWorkerCommand), node.name, std::to_string(memory)};
    if (const int number = reaper_.start(program, argv, passed, ChildProcess::ProcessGroup::Own)) throw not_started(number);
    channel_.emplace(std::move(ours));
    lifeline_ = std::move(our_life);
}

SupervisedProcess::~SupervisedProcess() {
    if (!lifeline_) return;
    lifeline_.close();
    (void)reaper_.wait();
}

Error SupervisedProcess::not_started(int number) {
    return Error(ExitCode::Store, fmt::format("cannot start its process: {}", std::strerror(number)));
}

void SupervisedProcess::wait_for_end() {
    enum { kChannel, kOutput, kLifeline };
    std::array<pollfd, 3> all{{{channel_->descriptor(), POLLIN, 0}, {output_.get(), POLLIN, 0}, {lifeline_.get(), POLLIN, 0}}};
    for (bool over = false; !over;) {
        if (::poll(all.data(), all.size(), kPollMilliseconds) < 0 && errno != EINTR) throw not_started(errno);
        if (all[kOutput].revents != 0 && !read_output()) all[kOutput].fd = -1;
        if (all[kChannel].revents != 0 && !handle_messages()) {
            all[kChannel].fd = -1;
            channel_closed();
        }
        if (all[kLifeline].revents != 0) over = !read_lifeline();
        poll();
        check_stop_and_timeout();
    }
    (void)handle_messages();
    (void)read_output();
    lines_.end([this](std::string line) { log_line(std::move(line)); });
    poll();
}

void SupervisedProcess::check_stop_and_timeout() {
    if (!asked_to_stop_ && context_.stop_requested()) {
        asked_to_stop_ = Clock::now();
        ask_to_stop();
    }
    const ExecutionPolicy& policy = node_.policy;
    if (was_killed()) return;
    const auto now = Clock::now();
    const auto is_after = [&](Clock::time_point from, double seconds) {
        return std::chrono::duration<double>(now - from).count() >= seconds;
    };
    const auto grace = stop_grace_seconds();
    if (policy.timeout_seconds && is_after(started_, *policy.timeout_seconds + policy.grace_seconds())) killed_ = Killed::Late;
    else if (grace && asked_to_stop_ && is_after(*asked_to_stop_, *grace)) killed_ = Killed::Deaf;
    if (was_killed()) request_kill();
}

void SupervisedProcess::terminate() { (void)::send(lifeline_.get(), &kTerminateWorker, 1, MSG_NOSIGNAL); }

void SupervisedProcess::request_kill() { ::shutdown(lifeline_.get(), SHUT_WR); }

// Each returns whether more can come.
bool SupervisedProcess::read_lifeline() {
    std::array<char, 64> bytes{};
    const ssize_t got = ::read(lifeline_.get(), bytes.data(), bytes.size());
    if (got > 0) reaper_report_.append(bytes.data(), static_cast<std::size_t>(got));
    return got > 0 || (got < 0 && errno == EINTR);
}

bool SupervisedProcess::read_output() {
    std::array<char, 4096> bytes{};
    for (int i = 0; i < kReadsAtOnce; ++i) {
        const ssize_t got = ::read(output_.get(), bytes.data(), bytes.size());
        if (got < 0) return errno == EAGAIN || errno == EINTR;
        if (got == 0) return false;
        lines_.add({bytes.data(), static_cast<std::size_t>(got)}, [this](std::string line) { log_line(std::move(line)); });
    }
    return true;
}

bool SupervisedProcess::handle_messages() {
    const bool more = channel_->read_available();
    while (auto message = channel_->take()) handle(std::move(*message));
    return more;
}

void SupervisedProcess::log_line(std::string line) {
    context_.log(LogLevel::Info, line);
    remember_line(std::move(line));
}

void SupervisedProcess::remember_line(std::string line) {
    last_.push_back(printable(std::string_view(line).substr(0, OutputLines::kLongestLine)));
    if (last_.size() > kLastLines) last_.pop_front();
}

std::string SupervisedProcess::last_lines() const {
    if (last_.empty()) return {};
    std::string text = "last output:";
    for (const std::string& line : last_) text += "\n  " + line;
    return text;
}

std::string SupervisedProcess::limit_text(const WorkerEnd& end) const {
    return fmt::format("its limit is {} ({})", memory_text(*node_.policy.memory_bytes), name_of(end.limit));
}

std::string SupervisedProcess::death() const {
    const ExecutionPolicy& policy = node_.policy;
    if (was_killed_late()) {
        return fmt::format("it exceeded its timeout of {:g} s, did not stop when asked, and was killed {:g} s later",
                           *policy.timeout_seconds, policy.grace_seconds());
    }
    if (was_killed()) return "it did not stop when asked, and was killed";
    const std::optional<WorkerEnd> found = end();
    if (!found) return "its process and the reaper that supervises it were killed from outside";
    if (found->out_of_memory) return fmt::format("the kernel killed it because it ran out of memory: {}", limit_text(*found));
    const std::string limited = found->limit == LimitKind::Data ? fmt::format("; {}", limit_text(*found)) : "";
    if (!WIFSIGNALED(found->status)) return exit_text(WEXITSTATUS(found->status)) + limited;
    const int signal = WTERMSIG(found->status);
    if (signal != SIGKILL) return fmt::format("it crashed with {}{}", signal_text(signal), limited);
    return fmt::format("it was killed from outside with {}: by a user, or by the kernel because the machine ran out of memory",
                       signal_text(signal));
}

}  // namespace satdl
