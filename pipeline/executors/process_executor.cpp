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

constexpr int kLookMilliseconds = 20;    // for a request to stop, and the time
constexpr int kPiecesAtOnce = 64;        // of output: whoever writes without end is to be stopped and timed, too
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

// The process of one stage, from its start to the end of all that descends from it.
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
        const std::array given{ChildProcess::Given{their_output.get(), STDOUT_FILENO}, ChildProcess::Given{their_output.get(), STDERR_FILENO},
                               ChildProcess::Given{theirs.get(), kWorkerChannel}, ChildProcess::Given{their_life.get(), kWorkerLifeline},
                               ChildProcess::Given{stop_.file().get(), kWorkerStop}};
        const auto memory = node.policy.memory_bytes.value_or(0);
        const std::vector<std::string> argv{"satdl", std::string(kWorkerCommand), node.name, std::to_string(memory)};
        if (const int number = minder_.start(program, argv, given, ChildProcess::ProcessGroup::Own)) throw not_started(number);
        channel_.emplace(std::move(ours));
        lifeline_ = std::move(our_life);
    }
    // The reaper must not be killed: it has to end all the others first.
    ~StageProcess() {
        if (!lifeline_) return;
        lifeline_.close();
        (void)minder_.wait();
    }
    StageProcess(const StageProcess&) = delete;
    StageProcess& operator=(const StageProcess&) = delete;

    StageOutput run(const NodeJob& job) {
        (void)channel_->send(packed(to_cbor(job)), job.inputs.file);  // where it is gone already, its end says why
        attend();
        if (outcome_) return {mapped(outcome_->first), std::move(outcome_->second)};
        const auto end = worker_end(said_at_end_);
        const bool limited = end && end->limit == LimitKind::Data;
        if (!thrown_.is_null() && !(limited && thrown_.at("type") == "bad_alloc")) throw_again(thrown_);
        throw Error(ExitCode::StageFailed, thrown_.is_null() ? death(end) : fmt::format("{}: {}", kNoMemory, limit_text(*end)), last_lines());
    }

private:
    static Error not_started(int number) {
        return Error(ExitCode::Store, fmt::format("no process could be started for it: {}", std::strerror(number)));
    }

    static Error not_understood(std::string_view what) {
        return Error(ExitCode::StageFailed, fmt::format("its process sent something that cannot be understood: {}", printable(what)));
    }

    // Until the reaper has closed the lifeline: then nothing is left of the stage's process but what it has sent.
    void attend() {
        enum { kChannel, kOutput, kLifeline };
        std::array<pollfd, 3> all{{{channel_->descriptor(), POLLIN, 0}, {output_.get(), POLLIN, 0}, {lifeline_.get(), POLLIN, 0}}};
        for (bool over = false; !over;) {
            if (::poll(all.data(), all.size(), kLookMilliseconds) < 0 && errno != EINTR) throw not_started(errno);
            if (all[kOutput].revents != 0 && !read_output()) all[kOutput].fd = -1;
            if (all[kChannel].revents != 0 && !hear_all()) {
                all[kChannel].fd = -1;
                end_now();
            }
            if (all[kLifeline].revents != 0) over = !read_lifeline();
            look_after();
        }
        (void)hear_all();
        (void)read_output();
        lines_.end([this](std::string line) { tell(std::move(line)); });
    }

    void look_after() {
        if (context_.stop_requested()) stop_.raise();
        const ExecutionPolicy& policy = node_.policy;
        if (!policy.timeout_seconds || killed_) return;
        const std::chrono::duration<double> ran = Clock::now() - started_;
        if (ran.count() < *policy.timeout_seconds + policy.grace_seconds()) return;
        killed_ = true;
        end_now();
    }

    // The reaper ends all, tells how it was, and closes the lifeline for its part.
    void end_now() { ::shutdown(lifeline_.get(), SHUT_WR); }

    // Each says whether more can come.
    bool read_lifeline() {
        std::array<char, 64> bytes{};
        const ssize_t got = ::read(lifeline_.get(), bytes.data(), bytes.size());
        if (got > 0) said_at_end_.append(bytes.data(), static_cast<std::size_t>(got));
        return got > 0 || (got < 0 && errno == EINTR);
    }

    bool read_output() {
        std::array<char, 4096> bytes{};
        for (int i = 0; i < kPiecesAtOnce; ++i) {
            const ssize_t got = ::read(output_.get(), bytes.data(), bytes.size());
            if (got < 0) return errno == EAGAIN || errno == EINTR;
            if (got == 0) return false;
            lines_.add({bytes.data(), static_cast<std::size_t>(got)}, [this](std::string line) { tell(std::move(line)); });
        }
        return true;
    }

    void tell(std::string line) {
        context_.log(LogLevel::Info, line);
        note(std::move(line));
    }

    bool hear_all() {
        const bool more = channel_->read_available();
        while (auto message = channel_->take()) hear(std::move(*message));
        return more;
    }

    void hear(Message message) {
        try {
            const Cbor said = unpacked(message.bytes);
            const std::string what = said.at("what");
            if (what == "progress") context_.progress(progress_from(said));
            else if (what == "log") hear_log(said);
            else if (what == "checkpoint") answer_checkpoint();
            else if (what == "due") answer({{"due", context_.checkpoint_due(said.at("epoch_ended"))}});
            else if (what == "keep" || what == "keep_end") keep(said, std::move(message.file), what == "keep_end");
            else if (what == "outcome") outcome_.emplace(groups_from(said.at("outputs"), std::move(message.file)), tables_from(said.at("tables")));
            else if (what == "threw") thrown_ = said.at("thrown");
        } catch (const Cbor::exception& error) {
            throw not_understood(error.what());
        }
    }

    void hear_log(const Cbor& said) {
        const std::string text = said.at("message");
        const int level = std::clamp(said.at("level").get<int>(), static_cast<int>(LogLevel::Debug), static_cast<int>(LogLevel::Warning));
        context_.log(static_cast<LogLevel>(level), text);
        note(text);
    }

    void answer_checkpoint() {
        const NamedArrays* const state = context_.checkpoint();
        if (state == nullptr) return answer({{"has", false}});
        const SharedGroups shared = share({{"state", *state}});
        answer({{"has", true}, {"state", to_cbor(shared)}}, shared.file);
    }

    void keep(const Cbor& said, UniqueFd file, bool is_end) {
        const Groups groups = mapped(groups_from(said.at("state"), std::move(file)));
        const auto state = groups.find("state");
        if (state == groups.end()) throw not_understood("a checkpoint without its state");
        const Progress at = progress_from(said.at("at"));
        if (is_end) context_.keep_final_checkpoint(state->second, at);
        else context_.keep_checkpoint(state->second, at);
        answer({{"kept", true}});
    }

    void answer(const Cbor& message, const UniqueFd& file = UniqueFd()) { (void)channel_->send(packed(message), file); }

    void note(std::string line) {
        last_.push_back(printable(std::string_view(line).substr(0, kMaxOfLine)));
        if (last_.size() > kLastLines) last_.pop_front();
    }

    [[nodiscard]] std::string last_lines() const {
        if (last_.empty()) return {};
        std::string text = "the last that it said:";
        for (const std::string& line : last_) text += "\n  " + line;
        return text;
    }

    [[nodiscard]] std::string limit_text(const WorkerEnd& end) const {
        return fmt::format("its limit is {} ({})", memory_text(*node_.policy.memory_bytes), name_of(end.limit));
    }

    [[nodiscard]] std::string death(const std::optional<WorkerEnd>& end) const {
        const ExecutionPolicy& policy = node_.policy;
        if (killed_) {
            return fmt::format("it ran longer than its timeout of {:g} s, was asked to stop, and was killed {:g} s later",
                               *policy.timeout_seconds, policy.grace_seconds());
        }
        if (!end) return "its process was ended from outside, and the one that minds it, too";
        if (end->out_of_memory) return fmt::format("the kernel ended it for want of memory: {}", limit_text(*end));
        const std::string limited = end->limit == LimitKind::Data ? fmt::format("; {}", limit_text(*end)) : "";
        if (!WIFSIGNALED(end->status)) {
            return fmt::format("it ended its process with exit code {} instead of returning{}", WEXITSTATUS(end->status), limited);
        }
        const int signal = WTERMSIG(end->status);
        if (signal != SIGKILL) return fmt::format("it crashed with {}{}", signal_text(signal), limited);
        return fmt::format("it was killed from outside with {}: by somebody, or by the kernel because the machine had no memory left",
                           signal_text(signal));
    }

    const Node& node_;
    StageContext& context_;
    const Clock::time_point started_ = Clock::now();
    StopFlag stop_;
    UniqueFd output_, lifeline_;
    ChildProcess minder_;
    std::optional<Channel> channel_;

    Lines lines_;
    std::deque<std::string> last_;
    std::string said_at_end_;  // by the reaper
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
