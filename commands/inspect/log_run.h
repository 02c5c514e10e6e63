// All that the record of one run says, but for its epochs: `satdl log RUN`.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "commands/shared/session.h"
#include "pipeline/core/json.h"

namespace satdl {

// The summary (run_summary.h) with the outcome as users read it, and `environment`, `git` (the events, or null) and `stages`
// (the events).
[[nodiscard]] Json details_of_run(const std::string& run, OpenStore& open);
void print_details(const Json& details, OpenStore& open);

}  // namespace satdl
