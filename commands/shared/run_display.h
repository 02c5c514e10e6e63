// The progress of a run on stdout.
#pragma once

#include <memory>
#include <string>

#include "pipeline/records/json_events.h"
#include "pipeline/run/clock.h"
#include "pipeline/run/observer.h"

namespace satdl {

enum class DisplayMode {
    Nothing,
    Progress,    // bars on a terminal, plain lines elsewhere
    Everything,  // also reused stages and debug messages of stages
    Events,      // one JSON event per line
};

// Warnings go to stderr, whatever is shown.
[[nodiscard]] std::unique_ptr<Observer> display_on_stdout(DisplayMode mode, const RunInfo& info, Clock& clock);

// In one write, and flushed: other programs may be reading.
void print_line(const std::string& line);

}  // namespace satdl
