// The supervisor of a stage's process: a small process between it and satdl that does nothing else.
//
//   satdl  ── starts, by posix_spawn ──>  reaper  ── fork ──>  worker, in a process group of its own  ──>  whatever the stage starts
//
// When the worker ends, and when satdl ends in whatever way (kill -9 too: the lifeline between the two then closes), the reaper ends
// all its descendants: it is their subreaper (prctl(2)), so that not even a process with a group or session of its own gets
// away. If the reaper is killed, the worker dies of PR_SET_PDEATHSIG. The fork is sound: the reaper has run no threads.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "pipeline/core/unique_fd.h"
#include "pipeline/executors/memory_limit.h"

namespace satdl {

// From satdl over the lifeline: SIGTERM to the worker and its group.
inline constexpr char kTerminateWorker = 'T';

// How the worker ended, as the reaper reports it over the lifeline before it exits.
struct WorkerEnd {
    int status = 0;  // as waitpid has it
    LimitKind limit = LimitKind::None;
    bool out_of_memory = false;  // the kernel killed it, or a process that it started, at the limit
};

// Called by a process that has run no threads. Returns only in the worker, with the kind of its memory limit; the process that
// called it becomes the reaper, and exits when all is over. `of_worker`: descriptors that the reaper closes. Throws Error{Store}.
[[nodiscard]] LimitKind fork_under_reaper(UniqueFd lifeline, std::optional<std::uint64_t> memory_bytes,
                                      std::span<UniqueFd* const> of_worker);

// In satdl: the reaper's report, once the lifeline is closed; nullopt if it sent none.
[[nodiscard]] std::optional<WorkerEnd> worker_end(const std::string& message);

}  // namespace satdl
