#include "pipeline/executors/slurm/slurm_command.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <string_view>
#include <thread>

#include "pipeline/core/utf8.h"
#include "pipeline/os/subprocess.h"

namespace satdl {
namespace {

constexpr double kLimitSeconds = 60;
constexpr std::size_t kMaxOutputBytes = std::size_t{64} << 20;
constexpr std::size_t kMaxWords = 2000;

// sbatch waits for minutes where it is told to come back later. It is ended instead: when to come back is ours to decide.
constexpr std::string_view kSleeping = "sleeping and retrying";

class Programs final : public SlurmCommands {
public:
    Programs(Clock& clock, SlurmCallRate rate) : clock_(clock), budget_(rate, clock.seconds()) {}

    [[nodiscard]] SlurmReply call(const std::vector<std::string>& argv) override {
        if (const double wait = budget_.seconds_to_wait(clock_.seconds()); wait > 0)
            std::this_thread::sleep_for(std::chrono::duration<double>(wait));
        ProcessOptions options;
        std::size_t variables = 0;
        while (environ[variables] != nullptr) ++variables;
        options.environment = slurm_environment(std::span<const char* const>(environ, variables), argv.front());
        options.limit_seconds = kLimitSeconds;
        options.own_group = true;  // Ctrl-C must not end the scancel that follows it
        options.stderr_to_stdout = argv.front() == "sbatch";

        SlurmReply reply;
        const ProcessResult result = run_process(argv, options, [&](std::span<const std::byte> piece) {
            reply.out.append(reinterpret_cast<const char*>(piece.data()), piece.size());
            return reply.out.size() <= kMaxOutputBytes && !(options.stderr_to_stdout && reply.out.find(kSleeping) != std::string::npos);
        });
        reply.kind = kind_of(result);
        reply.words = slurm_words(argv.front(), options.stderr_to_stdout ? std::string_view(reply.out) : result.stderr_tail);
        if (reply.words.empty() && !reply.good()) reply.words = argv.front() + " " + result.describe();
        return reply;
    }

private:
    static SlurmReply::Kind kind_of(const ProcessResult& result) {
        if (result.good()) return SlurmReply::Kind::Good;
        if (result.kind == ProcessResult::Kind::Ended) return SlurmReply::Kind::Refused;
        const bool absent = result.kind == ProcessResult::Kind::NotStarted && (result.code == ENOENT || result.code == EACCES);
        return absent ? SlurmReply::Kind::NotInstalled : SlurmReply::Kind::NoAnswer;
    }

    Clock& clock_;
    SlurmCallBudget budget_;
};

}  // namespace

double SlurmCallBudget::seconds_to_wait(double now_seconds) {
    calls_ = std::min(rate_.at_once, calls_ + (now_seconds - filled_seconds_) * rate_.per_second);
    filled_seconds_ = now_seconds;
    calls_ -= 1;
    return calls_ >= 0 ? 0 : -calls_ / rate_.per_second;
}

std::unique_ptr<SlurmCommands> slurm_commands(Clock& clock, SlurmCallRate rate) { return std::make_unique<Programs>(clock, rate); }

std::vector<std::string> slurm_environment(std::span<const char* const> ours, const std::string& program) {
    constexpr auto kOptions = std::to_array<std::string_view>(
        {"SLURM_", "SBATCH_", "SQUEUE_", "SACCT_", "SCANCEL_", "SCONTROL_", "SALLOC_", "SRUN_"});
    std::vector<std::string> environment;
    for (const std::string_view variable : ours) {
        const bool acts = std::ranges::any_of(kOptions, [&](std::string_view prefix) { return variable.starts_with(prefix); });
        if (acts && !variable.starts_with("SLURM_CONF=")) continue;
        if (program != "sbatch" && variable.starts_with("LC_ALL=")) continue;
        environment.emplace_back(variable);
    }
    if (program != "sbatch") environment.emplace_back("LC_ALL=C");
    return environment;
}

std::string slurm_words(const std::string& program, std::string_view text) {
    std::string words;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.starts_with(program + ": ")) line.remove_prefix(program.size() + 2);
        if (line.starts_with("error: ")) line.remove_prefix(7);
        if (line.empty() || words.size() > kMaxWords) continue;
        if (!words.empty()) words += "; ";
        words += printable(line.substr(0, utf8_floor(line, kMaxWords)));
    }
    return words;
}

}  // namespace satdl
