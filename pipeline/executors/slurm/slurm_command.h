// Slurm's commands, called: for a limited time, seldom, and in an environment that says nothing to them.
//
// SLURM_*, SBATCH_* and the like in the environment act as options; they are there whenever satdl is started within a job, and
// users have SQUEUE_FORMAT in their profiles. SLURM_CONF alone stays: it says which cluster is meant.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "pipeline/run/clock.h"

namespace satdl {

struct SlurmReply {
    enum class Kind {
        Good,
        Refused,       // it ended with an error
        NoAnswer,      // it did not end in time, was killed, or said too much
        NotInstalled,  // no such program in PATH
    } kind = Kind::Good;
    std::string out;    // stdout
    std::string words;  // stderr, in one line, without "sbatch: error: "

    [[nodiscard]] bool good() const { return kind == Kind::Good; }
};

class SlurmCommands {
public:
    virtual ~SlurmCommands() = default;
    // argv[0]: "sbatch", looked for in PATH.
    [[nodiscard]] virtual SlurmReply call(const std::vector<std::string>& argv) = 0;
};

// How often Slurm may be called: its manual asks not to be called from loops, and sites cut off who does.
struct SlurmCallRate {
    double per_second = 0.5;  // on average
    double at_once = 20;
};

// When the next call may be made. Time is what the caller says.
class SlurmCallBudget {
public:
    SlurmCallBudget(SlurmCallRate rate, double now_seconds) : rate_(rate), calls_(rate.at_once), filled_seconds_(now_seconds) {}
    // Takes a call out of it, and returns how long to wait before making it.
    [[nodiscard]] double seconds_to_wait(double now_seconds);

private:
    const SlurmCallRate rate_;
    double calls_;  // that may be made at once; below zero: so many wait
    double filled_seconds_;
};

// The programs themselves. Each call takes at most a minute, and may wait for its turn before.
[[nodiscard]] std::unique_ptr<SlurmCommands> slurm_commands(Clock& clock, SlurmCallRate rate = {});

// Of "NAME=text": what the commands get of our environment. `program`: sbatch hands it on to the job, so its locale stays.
[[nodiscard]] std::vector<std::string> slurm_environment(std::span<const char* const> ours, const std::string& program);

// What a command said on stderr, for people: the lines in one, without the program's name before each.
[[nodiscard]] std::string slurm_words(const std::string& program, std::string_view text);

}  // namespace satdl
