// The process of one attempt of a stage, from its start to the end of all its descendants, under a reaper (reaper.h): its output line by
// line, its messages, what its end means. A stage of a library (process_executor.cpp) and a program of the user's (command_executor.cpp)
// are the two kinds of them.
#pragma once

#include <array>
#include <chrono>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "pipeline/dag/dag.h"
#include "pipeline/executors/message_channel.h"
#include "pipeline/executors/reaper.h"
#include "pipeline/executors/stop_flag.h"
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
    // Starts `program`, which answers to run_worker(). Throws Error{Store}. References outlive this.
    SupervisedProcess(const Node& node, StageContext& context, const std::string& program);
    // The reaper must not be killed: it has to end all the others first.
    virtual ~SupervisedProcess();

    // Until the reaper has closed the lifeline: then all that is left of the process is what it has sent.
    void wait_for_end();

    // A message of the process.
    virtual void handle(Message message) = 0;
    // It has closed its end of the channel.
    virtual void channel_closed() = 0;
    // The stage should stop: called once.
    virtual void ask_to_stop() = 0;
    // Called every few milliseconds, and once after the end.
    virtual void poll() {}
    // How long it has to stop, once asked to, before it is killed; nullopt: as long as it takes.
    [[nodiscard]] virtual std::optional<double> stop_grace_seconds() const { return std::nullopt; }
    // Why an exit with this code is no result.
    [[nodiscard]] virtual std::string exit_text(int code) const = 0;

    void send(const std::string& bytes, const UniqueFd& file = UniqueFd()) { (void)channel_->send(bytes, file); }
    void raise_stop_flag() { stop_.raise(); }
    // SIGTERM, to the process and its group.
    void terminate();
    // The reaper kills everything, reports how the worker ended, and closes its end of the lifeline.
    void request_kill();
    void remember_line(std::string line);

    [[nodiscard]] std::optional<WorkerEnd> end() const { return worker_end(reaper_report_); }
    // It was killed because it went on after its timeout; or after it was asked to stop for another reason.
    [[nodiscard]] bool was_killed_late() const { return killed_ == Killed::Late; }
    [[nodiscard]] bool was_killed() const { return killed_ != Killed::No; }
    // The last lines of its output, for a hint.
    [[nodiscard]] std::string last_lines() const;
    [[nodiscard]] std::string limit_text(const WorkerEnd& end) const;
    // Why it ended without a result.
    [[nodiscard]] std::string death() const;

    const Node& node_;
    StageContext& context_;

private:
    using Clock = std::chrono::steady_clock;

    static Error not_started(int number);
    void check_stop_and_timeout();
    bool read_lifeline();
    bool read_output();
    bool handle_messages();
    void log_line(std::string line);

    const Clock::time_point started_ = Clock::now();
    StopFlag stop_;
    UniqueFd output_, lifeline_;
    ChildProcess reaper_;
    std::optional<Channel> channel_;

    OutputLines lines_;
    std::deque<std::string> last_;
    std::string reaper_report_;
    std::optional<Clock::time_point> asked_to_stop_;
    enum class Killed { No, Late, Deaf } killed_ = Killed::No;
};

}  // namespace satdl
