// What a run shows while it goes on, on stdout; and the limits that it has where nobody names others.
#pragma once

#include <memory>
#include <string>

#include "pipeline/records/json_events.h"
#include "pipeline/run/clock.h"
#include "pipeline/run/observer.h"

namespace satdl {

enum class Shown {
    Nothing,
    Progress,    // bars on a terminal, plain lines elsewhere
    Everything,  // also what is reused, and what stages say for debugging
    Events,      // one JSON event a line
};

// Warnings go to stderr, whatever is shown.
[[nodiscard]] std::unique_ptr<Observer> display_on_stdout(Shown shown, const RunInfo& info, Clock& clock);

// In one write, and at once: other programs read along.
void print_line(const std::string& line);

}  // namespace satdl
