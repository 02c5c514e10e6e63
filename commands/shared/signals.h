// SIGINT, SIGTERM, SIGHUP (the terminal is closed), SIGUSR1 (Slurm: the time is nearly up) and SIGXCPU (the limit of CPU time) as a request
// to stop: running stages are asked to stop, the run ends with its summary. A second signal ends the program at once. A signal that was
// ignored at the start of the program (nohup) stays ignored.
//
// SIGPIPE ends nothing: if the reader of the output has ended (`| head`), the run continues without output.
#pragma once

#include <atomic>
#include <optional>

#include "pipeline/core/error.h"

namespace satdl {

// Handles these signals during its lifetime, then restores the handlers from before; SIGPIPE is ignored from then on, because buffered
// output is still to be written. At most one object at a time.
class StopSignals {
public:
    // What a second signal does. A job's program gets several: one of its time limit, one at the limit; and a checkpoint takes time.
    enum class Second { EndsTheProgram, IsIgnored };
    explicit StopSignals(Second second = Second::EndsTheProgram);
    ~StopSignals();
    StopSignals(const StopSignals&) = delete;
    StopSignals& operator=(const StopSignals&) = delete;

    [[nodiscard]] const std::atomic<bool>& stop() const;
    [[nodiscard]] const std::atomic<bool>& hung_up() const;  // the first was SIGHUP; set before stop()
    [[nodiscard]] std::optional<ExitCode> exit_code() const;  // of the first signal; SIGUSR1 and SIGXCPU count as SIGTERM
};

}  // namespace satdl
