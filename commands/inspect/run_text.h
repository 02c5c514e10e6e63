// Runs in the words of lists: `satdl log`, `sweep list`, `compare`.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "commands/shared/session.h"
#include "pipeline/core/json.h"

namespace satdl {

// Of a summary (run_summary.h): done, failed, stopped, running, interrupted (its process is gone), detached (and its jobs go on), or
// unfinished (its record is damaged, and perhaps its end with it).
[[nodiscard]] std::string outcome_of(const Json& run, const std::filesystem::path& store_folder);

// Of a run with the outcome "interrupted": "slow interrupted at epoch 7, step 210, 61 %, resumable" for each stage with a
// checkpoint.
[[nodiscard]] std::vector<std::string> resumable_stages(const Json& run, OpenStore& store);

[[nodiscard]] std::string cell_text(const Json& value);            // metrics rounded, null as ""
[[nodiscard]] std::string when_text(const Json& run, double now);  // "3 hours ago"
[[nodiscard]] std::string settings_text(
    const Json& run);  // "quick, noise_factor=0.2"; of a sweep "8 points of noise_factor, seed"
[[nodiscard]] std::string note_text(const Json& run);  // "[baseline] the second try"

// The shortest beginnings of ids (the newest first) that name one run each, all of the same length.
[[nodiscard]] std::size_t id_length(const std::vector<std::string>& ids);

}  // namespace satdl
