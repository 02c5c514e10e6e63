#include "pipeline/executors/process_executor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <deque>
#include <utility>

#include "pipeline/core/error.h"
#include "pipeline/executors/reaper.h"
#include "pipeline/executors/stop_flag.h"
#include "pipeline/executors/worker_process.h"
#include "pipeline/executors/worker_protocol.h"
#include "pipeline/os/subprocess.h"

namespace satdl {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kPollMilliseconds = 20;    // for a request to stop, and the time
constexpr int kReadsAtOnce = 64;        // of output: an endless writer must be stopped and timed out, too
constexpr std::size_t kLastLines = 10;
constexpr std::size_t kMaxOfLine = 2000;

// What a process writes to stdout and stderr, line by line.
class Lines {
public:
    template <typename Take>
    void add(std::string_view text, const Take& take) {
        line_ += text;
        for (std::size_t end; (end = line_.find('\n')) != std::string::npos || line_.size() > kMaxOfLine;) {
            end = std::min(end, kMaxOfLine);
            take(line_.substr(0, end));
            line_.erase(0, end + (line_[end] == '\n' ? 1 : 0));
        }
    }
    template <typename Take>
    void end(const Take& take) {
        if (!line_.empty()) take(std::exchange(line_, {}));
    }

private:
    std::string line_;
};

// The process of one stage, from its start to the end of all its descendants.
class StageProcess {
public:
    StageProcess(const Node& node, StageContext& context, const std::string& program) : node_(node), context_(context) {
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
    // The reaper must not be killed: it has to end all the others first.
    ~StageProcess() {
        if (!lifeline_) return;
        lifeline_.close();
        (void)reaper_.wait();
    }
    StageProcess(const StageProcess&) = delete;
    StageProcess& operator=(const StageProcess&) = delete;

    StageOutput run(const NodeJob& job) {
        (void)channel_->send(packed(to_cbor(job)), job.inputs.file);  // if it is gone already, its end says why
        wait_for_end();
        if (outcome_) return {mapped(outcome_->first), std::move(outcome_->second)};
        const auto end = worker_end(reaper_report_);
        const bool limited = end && end->limit == LimitKind::Data;
        if (!thrown_.is_null() && !(limited && thrown_.at("type") == "bad_alloc")) rethrow(thrown_);
        const std::string cause = thrown_.is_null() ? death(end) : fmt::format("{}: {}", kNoMemory, limit_text(*end));
        throw Error(ExitCode::StageFailed, cause, last_lines());
    }

private:
    static Error not_started(int number) {
        return Error(ExitCode::Store, fmt::format("cannot start its process: {}", std::strerror(number)));
    }

    static Error invalid_message(std::string_view what) {
        return Error(ExitCode::StageFailed, fmt::format("its process sent an invalid message: {}", printable(what)));
    }

    // Until the reaper has closed the lifeline: then all that is left of the stage's process is what it has sent.
    void wait_for_end() {
        enum { kChannel, kOutput, kLifeline };
        std::array<pollfd, 3> all{{{channel_->descriptor(), POLLIN, 0}, {output_.get(), POLLIN, 0}, {lifeline_.get(), POLLIN, 0}}};
        for (bool over = false; !over;) {
            if (::poll(all.data(), all.size(), kPollMilliseconds) < 0 && errno != EINTR) throw not_started(errno);
            if (all[kOutput].revents != 0 && !read_output()) all[kOutput].fd = -1;
            if (all[kChannel].revents != 0 && !handle_messages()) {
                all[kChannel].fd = -1;
                request_kill();
            }
            if (all[kLifeline].revents != 0) over = !read_lifeline();
            check_stop_and_timeout();
        }
        (void)handle_messages();
        (void)read_output();
        lines_.end([this](std::string line) { log_line(std::move(line)); });
    }

    void check_stop_and_timeout() {
        if (context_.stop_requested()) stop_.raise();
        const ExecutionPolicy& policy = node_.policy;
        if (!policy.timeout_seconds || killed_) return;
        const std::chrono::duration<double> ran = Clock::now() - started_;
        if (ran.count() < *policy.timeout_seconds + policy.grace_seconds()) return;
        killed_ = true;
        request_kill();
    }

    // The reaper kills everything, reports how the worker ended, and closes its end of the lifeline.
    void request_kill() { ::shutdown(lifeline_.get(), SHUT_WR); }

    // Each returns whether more can come.
    bool read_lifeline() {
        std::array<char, 64> bytes{};
        const ssize_t got = ::read(lifeline_.get(), bytes.data(), bytes.size());
        if (got > 0) reaper_report_.append(bytes.data(), static_cast<std::size_t>(got));
        return got > 0 || (got < 0 && errno == EINTR);
    }

    bool read_output() {
        std::array<char, 4096> bytes{};
        for (int i = 0; i < kReadsAtOnce; ++i) {
            const ssize_t got = ::read(output_.get(), bytes.data(), bytes.size());
            if (got < 0) return errno == EAGAIN || errno == EINTR;
            if (got == 0) return false;
            lines_.add({bytes.data(), static_cast<std::size_t>(got)}, [this](std::string line) { log_line(std::move(line)); });
        }
        return true;
    }

    void log_line(std::string line) {
        context_.log(LogLevel::Info, line);
        remember_line(std::move(line));
    }

    bool handle_messages() {
        const bool more = channel_->read_available();
        while (auto message = channel_->take()) handle(std::move(*message));
        return more;
    }

    void handle(Message message) {
        try {
            const Cbor event = unpacked(message.bytes);
            const std::string what = event.at("what");
            if (what == "progress") context_.progress(progress_from(event));
            else if (what == "log") handle_log(event);
            else if (what == "checkpoint") answer_checkpoint();
            else if (what == "due") answer({{"due", context_.checkpoint_due(event.at("epoch_ended"))}});
            else if (what == "keep") keep(event, std::move(message.file), false);
            else if (what == "keep_final_checkpoint") keep(event, std::move(message.file), true);
            else if (what == "outcome")
                outcome_.emplace(groups_from(event.at("outputs"), std::move(message.file)), tables_from(event.at("tables")));
            else if (what == "threw") thrown_ = event.at("thrown");
        } catch (const Cbor::exception& error) {
            throw invalid_message(error.what());
        }
    }

    void handle_log(const Cbor& event) {
        const std::string text = event.at("message");
        const int level = std::clamp(event.at("level").get<int>(), static_cast<int>(LogLevel::Debug), static_cast<int>(LogLevel::Warning));
        context_.log(static_cast<LogLevel>(level), text);
        remember_line(text);
    }

    void answer_checkpoint() {
        const NamedArrays* const state = context_.checkpoint();
        if (state == nullptr) return answer({{"has", false}});
        const SharedGroups shared = share({{"state", *state}});
        answer({{"has", true}, {"state", to_cbor(shared)}}, shared.file);
    }

    void keep(const Cbor& event, UniqueFd file, bool is_final) {
        const Groups groups = mapped(groups_from(event.at("state"), std::move(file)));
        const auto state = groups.find("state");
        if (state == groups.end()) throw invalid_message("a checkpoint without state");
        const Progress at = progress_from(event.at("at"));
        if (is_final) context_.keep_final_checkpoint(state->second, at);
        else context_.keep_checkpoint(state->second, at);
        answer({{"kept", true}});
    }

    void answer(const Cbor& message, const UniqueFd& file = UniqueFd()) { (void)channel_->send(packed(message), file); }

    void remember_line(std::string line) {
        last_.push_back(printable(std::string_view(line).substr(0, kMaxOfLine)));
        if (last_.size() > kLastLines) last_.pop_front();
    }

    [[nodiscard]] std::string last_lines() const {
        if (last_.empty()) return {};
        std::string text = "last output:";
        for (const std::string& line : last_) text += "\n  " + line;
        return text;
    }

    [[nodiscard]] std::string limit_text(const WorkerEnd& end) const {
        return fmt::format("its limit is {} ({})", memory_text(*node_.policy.memory_bytes), name_of(end.limit));
    }

    [[nodiscard]] std::string death(const std::optional<WorkerEnd>& end) const {
        const ExecutionPolicy& policy = node_.policy;
        if (killed_) {
            return fmt::format("it exceeded its timeout of {:g} s, did not stop when asked, and was killed {:g} s later",
                               *policy.timeout_seconds, policy.grace_seconds());
        }
        if (!end) return "its process and the reaper that supervises it were killed from outside";
        if (end->out_of_memory) return fmt::format("the kernel killed it because it ran out of memory: {}", limit_text(*end));
        const std::string limited = end->limit == LimitKind::Data ? fmt::format("; {}", limit_text(*end)) : "";
        if (!WIFSIGNALED(end->status)) {
            return fmt::format("its process exited with code {} instead of returning{}", WEXITSTATUS(end->status), limited);
        }
        const int signal = WTERMSIG(end->status);
        if (signal != SIGKILL) return fmt::format("it crashed with {}{}", signal_text(signal), limited);
        return fmt::format("it was killed from outside with {}: by a user, or by the kernel because the machine ran out of memory",
                           signal_text(signal));
    }

    const Node& node_;
    StageContext& context_;
    const Clock::time_point started_ = Clock::now();
    StopFlag stop_;
    UniqueFd output_, lifeline_;
    ChildProcess reaper_;
    std::optional<Channel> channel_;

    Lines lines_;
    std::deque<std::string> last_;
    std::string reaper_report_;  // by the reaper
    bool killed_ = false;      // at the end of its timeout's grace
    std::optional<std::pair<SharedGroups, std::vector<Table>>> outcome_;
    Cbor thrown_;  // null: nothing
};

}  // namespace

StageOutput ProcessExecutor::execute(const Node& node, const StageInputs& inputs, StageContext& context) {
    const NodeJob job{.kind = node.stage->description.kind,
                      .library = node.stage->library,
                      .identity = libraries_.file(*node.stage).identity,
                      .manifest_identity = node.stage->manifest_identity,
                      .params = context.params(),
                      .threads = context.threads(),
                      .precision = context.precision(),
                      .device = context.device(),
                      .files = context.files(),
                      .inputs = share(inputs)};
    return StageProcess(node, context, program_).run(job);
}

}  // namespace satdl
