// SIGINT, SIGTERM and SIGHUP (the terminal is gone) as a request to stop: running stages are asked to end, the run ends with its
// summary. A second one ends the program at once. What was ignored when the program began (by nohup) stays ignored.
#pragma once

#include <atomic>
#include <optional>

#include "pipeline/core/error.h"

namespace satdl {

// While one lives, it has these signals; what was set before comes back with its end. One at a time.
class StopSignals {
public:
    StopSignals();
    ~StopSignals();
    StopSignals(const StopSignals&) = delete;
    StopSignals& operator=(const StopSignals&) = delete;

    [[nodiscard]] const std::atomic<bool>& stop() const;
    [[nodiscard]] std::optional<ExitCode> exit_code() const;  // of the signal that came first
};

}  // namespace satdl
