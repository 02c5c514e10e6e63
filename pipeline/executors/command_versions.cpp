#include "pipeline/executors/command_versions.h"

#include <fmt/format.h>
#include <sys/wait.h>

#include <cerrno>
#include <chrono>
#include <string_view>
#include <utility>

#include "pipeline/executors/supervised_process.h"

namespace satdl {
namespace {

constexpr std::size_t kMaxOutput = 64 << 10;

// Without the blanks and newlines around it.
std::string_view stripped(std::string_view text) {
    while (!text.empty() && std::string_view(" \t\r\n").find(text.back()) != std::string_view::npos) text.remove_suffix(1);
    while (!text.empty() && std::string_view(" \t\r\n").find(text.front()) != std::string_view::npos) text.remove_prefix(1);
    return text;
}

// A command has no node of its own, and nothing asks for its stop but the time.
class Context final : public StageContext {
public:
    explicit Context(double seconds)
        : deadline_(Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds))) {}

    [[nodiscard]] const Params& params() const override { return params_; }
    [[nodiscard]] int threads() const override { return 1; }
    [[nodiscard]] const std::vector<SourceFile>& files() const override { return files_; }
    [[nodiscard]] bool stop_requested() const override { return Clock::now() > deadline_; }
    void progress(const Progress& /*progress*/) override {}
    void log(LogLevel /*level*/, std::string_view /*message*/) override {}

private:
    using Clock = std::chrono::steady_clock;
    const Clock::time_point deadline_;
    const Params params_;
    const std::vector<SourceFile> files_;
};

class VersionProcess final : SupervisedProcess {
public:
    VersionProcess(const Node& node, StageContext& context) : SupervisedProcess(node, context) {}

    // What it prints on stdout and stderr: `java -version` uses the latter. The second: why that does not count; "": it does.
    std::pair<std::string, std::string> run(const CommandStage& command, const std::vector<std::string>& program) {
        start({.program = program.front(), .argv = program, .environment = environment_of(command), .folder = command.project});
        wait_for_end();
        return {std::move(output_), failure()};
    }

private:
    void take_output(std::string_view piece) override {
        if (output_.size() <= kMaxOutput) output_ += piece;
        else request_kill();
    }
    void ask_to_stop() override {
        is_late_ = true;
        request_kill();
    }
    [[nodiscard]] std::string exit_text(int code) const override { return fmt::format("exit code {}", code); }

    std::string failure() const {
        if (is_late_) return fmt::format("it takes longer than {:g} s", *node_.policy.timeout_seconds);
        if (output_.size() > kMaxOutput) return "it prints too much";
        if (not_started() == ENOENT) return "is not installed";
        const bool succeeded = not_started() == 0 && end() && WIFEXITED(end()->number) && WEXITSTATUS(end()->number) == 0;
        return succeeded ? "" : death();
    }

    std::string output_;
    bool is_late_ = false;
};

std::string output_of(const CommandStage& command, const std::vector<std::string>& program, const Place& place, double seconds) {
    Node node;
    node.policy.timeout_seconds = seconds;
    Context context(seconds);
    const auto [output, failure] = VersionProcess(node, context).run(command, program);
    const std::string_view text = stripped(output);
    constexpr const char* kHint = "remove it from 'versions', or mend it";
    const std::string name = version_part(program);
    if (!failure.empty()) refuse(place, fmt::format("no {}: {}", name, failure), text.empty() ? kHint : std::string(text.substr(0, 1000)));
    if (text.empty()) refuse(place, fmt::format("no {}: it printed nothing", name), kHint);
    return std::string(text);
}

}  // namespace

std::map<std::pair<std::filesystem::path, std::string>, std::string> run_version_commands(const Dag& dag, const Request& request,
                                                                                          double seconds) {
    std::map<std::pair<std::filesystem::path, std::string>, std::string> printed;
    const Selection selection = select(dag, request);
    for (NodeId id = 0; id < dag.nodes.size(); ++id) {
        const Node& node = dag.nodes[id];
        if (!node.command || selection.parts[id] == Part::Excluded) continue;
        for (const std::vector<std::string>& program : node.command->versions) {
            const auto [found, is_new] = printed.try_emplace({node.command->project, version_part(program)});
            if (is_new) found->second = output_of(*node.command, program, node.params.value("versions").place(), seconds);
        }
    }
    return printed;
}

}  // namespace satdl
