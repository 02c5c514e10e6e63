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
#include "pipeline/os/shared_library.h"

namespace satdl {
namespace {

constexpr int kPollMilliseconds = 20;  // for a request to stop, and the time
constexpr int kReadsAtOnce = 64;       // of output: an endless writer must be stopped and timed out, too
constexpr std::size_t kLastLines = 10;
constexpr std::size_t kMostLogged = std::size_t{16} << 20;

Error no_reaper(int number) {
    if (number == E2BIG)
        return Error(ExitCode::StageFailed, "its arguments and environment are longer than the system allows",
                     "pass what is long in a file");
    return Error(ExitCode::Store, fmt::format("cannot start its process: {}", std::strerror(number)),
                 number == ENOENT ? fmt::format("is {} beside satdl?", kReaperProgram) : "");
}

}  // namespace

void SupervisedProcess::start(const Start& start) {
    std::array<int, 2> lifeline{}, output{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, lifeline.data()) != 0) throw no_reaper(errno);
    UniqueFd our_life(lifeline[0]);
    const UniqueFd their_life(lifeline[1]);
    if (::pipe2(output.data(), O_CLOEXEC) != 0) throw no_reaper(errno);
    output_ = UniqueFd(output[0]);
    const UniqueFd their_output(output[1]);
    ::fcntl(output_.get(), F_SETFL, O_NONBLOCK);
    using PassedFd = ChildProcess::PassedFd;
    std::vector<PassedFd> passed{PassedFd{their_output.get(), STDOUT_FILENO}, PassedFd{their_output.get(), STDERR_FILENO},
                                 PassedFd{their_life.get(), kReaperLifeline}};
    std::vector<std::string> argv{kReaperProgram, kReaperProtocol, std::to_string(node_.policy.memory_bytes.value_or(0)),
                                  start.stop != nullptr ? kReaperOfStage : kReaperOfProgram};
    UniqueFd theirs;
    if (start.stop != nullptr) {
        auto [ours, other] = socket_pair();
        channel_.emplace(std::move(ours));
        theirs = std::move(other);
        passed.push_back({theirs.get(), kWorkerChannel});
        passed.push_back({start.stop->file().get(), kWorkerStop});
    }
    if (start.watched) argv.emplace_back(kReaperWatched);
    if (start.rules != nullptr) {
        argv.emplace_back(kReaperRestricted);
        passed.push_back({start.rules->file().get(), kReaperRules});
    }
    argv.emplace_back(kReaperEndOfOptions);
    argv.push_back(start.program);
    argv.insert(argv.end(), start.argv.begin(), start.argv.end());
    const std::string reaper = (program_folder() / kReaperProgram).string();
    const ProcessOptions options{.folder = start.folder, .environment = start.environment};
    started_ = Clock::now();
    if (const int number = reaper_.start(reaper, argv, passed, ChildProcess::ProcessGroup::Own, options)) throw no_reaper(number);
    lifeline_ = std::move(our_life);
}

SupervisedProcess::~SupervisedProcess() {
    if (!lifeline_) return;
    lifeline_.close();
    (void)reaper_.wait();
}

void SupervisedProcess::wait_for_end() {
    enum { kChannel, kOutput, kLifeline };
    const int channel = channel_ ? channel_->descriptor() : -1;
    std::array<pollfd, 3> all{{{channel, POLLIN, 0}, {output_.get(), POLLIN, 0}, {lifeline_.get(), POLLIN, 0}}};
    for (bool over = false; !over;) {
        if (::poll(all.data(), all.size(), kPollMilliseconds) < 0 && errno != EINTR) throw no_reaper(errno);
        if (all[kOutput].revents != 0 && !read_output()) all[kOutput].fd = -1;
        if (all[kChannel].revents != 0 && !handle_messages()) {
            all[kChannel].fd = -1;
            channel_closed();
        }
        if (all[kLifeline].revents != 0) over = !read_lifeline();
        poll();
        check_stop_and_timeout();
    }
    if (channel_) (void)handle_messages();
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
    ReaperMessage message;
    iovec bytes{&message, sizeof message};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr header{};
    header.msg_iov = &bytes;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    const ssize_t got = ::recvmsg(lifeline_.get(), &header, MSG_CMSG_CLOEXEC);
    if (got < 0) return errno == EINTR;
    if (got != sizeof message) return false;
    UniqueFd file;
    if (const cmsghdr* const part = CMSG_FIRSTHDR(&header); part != nullptr && part->cmsg_type == SCM_RIGHTS) {
        int number = -1;
        std::memcpy(&number, CMSG_DATA(part), sizeof number);
        file = UniqueFd(number);
    }
    switch (message.kind) {
        case ReaperMessage::Kind::Watch: watch(std::move(file)); break;
        case ReaperMessage::Kind::NotStarted: not_started_ = message.number; break;
        case ReaperMessage::Kind::Ended:
            end_ = message;
            if (message.limit != LimitKind::None)
                context_.log(LogLevel::Debug, fmt::format("its memory was limited: {}", limit_text(message)));
            return false;
    }
    return true;
}

bool SupervisedProcess::read_output() {
    std::array<char, 4096> bytes{};
    for (int i = 0; i < kReadsAtOnce; ++i) {
        const ssize_t got = ::read(output_.get(), bytes.data(), bytes.size());
        if (got < 0) return errno == EAGAIN || errno == EINTR;
        if (got == 0) return false;
        take_output({bytes.data(), static_cast<std::size_t>(got)});
    }
    return true;
}

void SupervisedProcess::take_output(std::string_view piece) {
    lines_.add(piece, [this](std::string line) { log_line(std::move(line)); });
}

bool SupervisedProcess::handle_messages() {
    const bool more = channel_->read_available();
    while (auto message = channel_->take()) handle(std::move(*message));
    return more;
}

// An endless writer must not fill the store's disk.
void SupervisedProcess::log_line(std::string line) {
    if (logged_bytes_ <= kMostLogged) {
        context_.log(LogLevel::Info, line);
        logged_bytes_ += line.size() + 1;
        if (logged_bytes_ > kMostLogged)
            context_.log(LogLevel::Info, fmt::format("it has printed {} MiB: the rest is not in the log", kMostLogged >> 20));
    }
    remember_line(std::move(line));
}

void SupervisedProcess::remember_line(std::string line) {
    last_.push_back(std::move(line));
    if (last_.size() > kLastLines) last_.pop_front();
}

std::string SupervisedProcess::last_lines() const {
    if (last_.empty()) return {};
    std::string text = "last output:";
    for (const std::string& line : last_) text += "\n  " + printable(std::string_view(line).substr(0, OutputLines::kLongestLine));
    return text;
}

std::string SupervisedProcess::limit_text(const ReaperMessage& end) const {
    return fmt::format("its limit is {} ({})", memory_text(*node_.policy.memory_bytes), name_of(end.limit));
}

std::string SupervisedProcess::death() const {
    const ExecutionPolicy& policy = node_.policy;
    if (was_killed_late()) {
        return fmt::format("it exceeded its timeout of {:g} s, did not stop when asked, and was killed {:g} s later",
                           *policy.timeout_seconds, policy.grace_seconds());
    }
    if (was_killed()) return "it did not stop when asked, and was killed";
    const std::optional<ReaperMessage>& found = end();
    if (!found) return "its process and the reaper that supervises it were killed from outside";
    if (found->out_of_memory) return fmt::format("the kernel killed it because it ran out of memory: {}", limit_text(*found));
    if (not_started_ != 0) return fmt::format("its process cannot be started: {}", std::strerror(not_started_));
    const std::string limited = found->limit == LimitKind::Data ? fmt::format("; {}", limit_text(*found)) : "";
    if (!WIFSIGNALED(found->number)) return exit_text(WEXITSTATUS(found->number)) + limited;
    const int signal = WTERMSIG(found->number);
    if (signal != SIGKILL) return fmt::format("it crashed with {}{}", signal_text(signal), limited);
    return fmt::format("it was killed from outside with {}: by a user, or by the kernel because the machine ran out of memory",
                       signal_text(signal));
}

}  // namespace satdl
