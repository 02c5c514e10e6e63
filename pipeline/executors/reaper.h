// Who minds a stage's process: a small process between it and satdl that has nothing else to do.
//
//   satdl  ── starts, by posix_spawn ──>  reaper  ── fork ──>  worker, in a process group of its own  ──>  whatever the stage starts
//
// When the worker ends, and when satdl ends in whatever way (kill -9 too: the lifeline between the two then closes), the reaper ends
// all that descends from it: it is their subreaper (prctl(2)), so that not even what made itself a group or a session of its own gets
// away. Should somebody kill the reaper, the worker dies of PR_SET_PDEATHSIG. The fork is sound: the reaper has run no threads.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "pipeline/core/unique_fd.h"
#include "pipeline/executors/memory_limit.h"

namespace satdl {

// How the worker ended, as the reaper tells it over the lifeline before it ends itself.
struct WorkerEnd {
    int status = 0;  // as waitpid has it
    LimitKind limit = LimitKind::None;
    bool out_of_memory = false;  // the kernel ended it, or what it had started, at the limit
};

// Called by a process that has run no threads. Comes back in the worker alone, and says which limit its memory has; the process that
// called it becomes the reaper, and ends when all is over. `of_worker`: what the reaper has no use for, and closes. Throws Error{Store}.
[[nodiscard]] LimitKind fork_under_reaper(UniqueFd lifeline, std::optional<std::uint64_t> memory_bytes,
                                      std::span<UniqueFd* const> of_worker);

// In satdl: what the reaper said, once the lifeline is at its end; nothing where it said nothing.
[[nodiscard]] std::optional<WorkerEnd> worker_end(const std::string& said);

}  // namespace satdl
