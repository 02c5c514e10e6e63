// The process of one attempt of a stage, from its start to the end of all its descendants, under a reaper (reaper.h): its output line by
// line, its messages, what its end means. A stage of a library (process_executor.cpp) and a program of the user's (command_executor.cpp)
// are the two kinds of them.
#pragma once

#include <array>
#include <chrono>
#include <deque>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/dag/dag.h"
#include "pipeline/executors/message_channel.h"
#include "pipeline/executors/reaper.h"
#include "pipeline/executors/stop_flag.h"
#include "pipeline/os/landlock.h"
#include "pipeline/os/subprocess.h"
#include "pipeline/stage.h"

namespace satdl {

// What a process writes to stdout and stderr, line by line.
class OutputLines {
public:
    // Takes each complete line; one that is too long comes in parts.
    template <typename Take>
    void add(std::string_view text, const Take& take) {
        line_ += text;
        for (std::size_t end; (end = line_.find('\n')) != std::string::npos || line_.size() > kLongestLine;) {
            end = std::min(end, kLongestLine);
            take(line_.substr(0, end));
            line_.erase(0, end + (line_[end] == '\n' ? 1 : 0));
        }
    }
    template <typename Take>
    void end(const Take& take) {
        if (!line_.empty()) take(std::exchange(line_, {}));
    }

    static constexpr std::size_t kLongestLine = 2000;

private:
    std::string line_;
};

class SupervisedProcess {
public:
    SupervisedProcess(const SupervisedProcess&) = delete;
    SupervisedProcess& operator=(const SupervisedProcess&) = delete;

protected:
    // References outlive this.
    SupervisedProcess(const Node& node, StageContext& context) : node_(node), context_(context) {}
    // The reaper must not be killed: it has to end all the others first.
    virtual ~SupervisedProcess();

    // What the worker becomes.
    struct Start {
        std::string program{};  // a path, or looked for in the environment's PATH
        std::vector<std::string> argv{};
        std::optional<std::vector<std::string>> environment{};  // "NAME=text"; nullopt: ours
        std::filesystem::path folder{};                         // where it starts; "": where we are
        const LandlockRules* rules = nullptr;                   // that the kernel holds it to
        bool watched = false;                                   // watch() gets a listener of what it opens
        const StopFlag* stop = nullptr;                         // of a stage, which also gets a channel for messages
    };
    // Throws Error{Store}; Error{StageFailed} for arguments that are longer than the system takes.
    void start(const Start& start);
    // Until the reaper has reported the end, or is gone: then all that is left of the process is what it has sent.
    void wait_for_end();

    // A message of a stage.
    virtual void handle(Message /*message*/) {}
    // It has closed its end of the channel.
    virtual void channel_closed() {}
    // For a FileWatch, which the process waits for.
    virtual void watch(UniqueFd /*listener*/) {}
    // What it writes to stdout and stderr, piece by piece.
    virtual void take_output(std::string_view piece);
    // The stage should stop: called once.
    virtual void ask_to_stop() = 0;
    // Called every few milliseconds, and once after the end.
    virtual void poll() {}
    // How long it has to stop, once asked to, before it is killed; nullopt: as long as it takes.
    [[nodiscard]] virtual std::optional<double> stop_grace_seconds() const { return std::nullopt; }
    // Why an exit with this code is no result.
    [[nodiscard]] virtual std::string exit_text(int code) const = 0;

    void send(const std::string& bytes, const UniqueFd& file = UniqueFd()) { (void)channel_->send(bytes, file); }
    // SIGTERM, to the process and its group.
    void terminate();
    // The reaper kills everything, reports how the worker ended, and closes its end of the lifeline.
    void request_kill();
    void remember_line(std::string line);

    // How the worker ended; nullopt: the reaper was killed.
    [[nodiscard]] const std::optional<ReaperMessage>& end() const { return end_; }
    // Why the worker's program could not be started: errno; 0: it was.
    [[nodiscard]] int not_started() const { return not_started_; }
    // It was killed because it went on after its timeout; or after it was asked to stop for another reason.
    [[nodiscard]] bool was_killed_late() const { return killed_ == Killed::Late; }
    [[nodiscard]] bool was_killed() const { return killed_ != Killed::No; }
    // The last lines of its output, for a hint.
    [[nodiscard]] std::string last_lines() const;
    [[nodiscard]] std::string limit_text(const ReaperMessage& end) const;
    // Why it ended without a result.
    [[nodiscard]] std::string death() const;

    const Node& node_;
    StageContext& context_;

private:
    using Clock = std::chrono::steady_clock;

    void check_stop_and_timeout();
    bool read_lifeline();
    bool read_output();
    bool handle_messages();
    void log_line(std::string line);

    Clock::time_point started_;
    UniqueFd output_, lifeline_;
    ChildProcess reaper_;
    std::optional<Channel> channel_;

    OutputLines lines_;
    std::deque<std::string> last_;
    std::size_t logged_bytes_ = 0;
    std::optional<ReaperMessage> end_;
    int not_started_ = 0;
    std::optional<Clock::time_point> asked_to_stop_;
    enum class Killed { No, Late, Deaf } killed_ = Killed::No;
};

}  // namespace satdl
