// SIGINT, SIGTERM and SIGHUP (the terminal is closed) as a request to stop: running stages are asked to stop, the run ends with its
// summary. A second signal ends the program at once. A signal that was ignored at the start of the program (nohup) stays ignored.
#pragma once

#include <atomic>
#include <optional>

#include "pipeline/core/error.h"

namespace satdl {

// Handles these signals during its lifetime, then restores the handlers from before. At most one object at a time.
class StopSignals {
public:
    StopSignals();
    ~StopSignals();
    StopSignals(const StopSignals&) = delete;
    StopSignals& operator=(const StopSignals&) = delete;

    [[nodiscard]] const std::atomic<bool>& stop() const;
    [[nodiscard]] std::optional<ExitCode> exit_code() const;  // of the first signal
};

}  // namespace satdl
