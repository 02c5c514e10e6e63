// The progress of a run on stdout.
#pragma once

#include <memory>
#include <string>
#include <string_view>

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

// Never throws, as fmt::print does: a run continues if its output is not read or the disk is full. The end of main sees what failed.
void print_text(std::string_view text);
// In one write, and flushed: other programs may be reading.
void print_line(const std::string& line);

}  // namespace satdl
