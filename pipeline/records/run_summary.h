// A run in one line, for lists: what was asked of it, how it ended, what it came to.
//
// The records are the truth; summaries of finished ones are remembered in the index, which is disposable, so that a list of 10^4 runs
// reads none of them again.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/core/json.h"
#include "pipeline/os/file_system.h"
#include "pipeline/store/index.h"

namespace satdl {

// What `satdl log --json` has for a run (docs/json.md), from the text of its record:
//   run, dag, file, profile, host, version, process   texts, "" where the record does not say
//   wall_time, seconds                      of its beginning, since 1970; nullopt as null: it has no end
//   outcome                                 done, failed, stopped (by its user), or unfinished: the record has no end
//   ran, reused, failed                     numbers of stages
//   set, params                             what the command line gave; all parameters of the DAG, but those that a sweep varies
//   metrics, main                           number by column; the columns that matter most
//   sweep                                   whether it is one
//   points                                  of a sweep: settings, metrics (none before its end), failed (number of stages)
//   unfinished                              stage and key of what had started, and is not done
//   note, tags
//   damaged                                 true: lines of the record are damaged, and left out
[[nodiscard]] Json summary_of_record(const std::string& run, std::string_view text);

// The same, remembered in the index by the record's stamp.
[[nodiscard]] Json summary_of_run(const std::filesystem::path& store_folder, const std::string& run, FileSystem& files, Index& index);

// Those of the runs in which nothing ran, the newest first; they have no record of their own, and so neither params nor metrics.
[[nodiscard]] std::vector<Json> summaries_of_reused_runs(const std::filesystem::path& store_folder, FileSystem& files);

// The event that gives the run another note and other tags, instead of those that it has.
[[nodiscard]] std::string note_event(const std::string& note, const std::vector<std::string>& tags);

}  // namespace satdl
