// The supervisor of a stage's process: `satdl-reaper`, a small program between it and satdl that does nothing else.
//
//   satdl  ── posix_spawn ──>  reaper  ── fork ──>  worker, in a process group of its own  ──>  whatever the stage starts
//
// The worker becomes the user's program, or satdl again (worker_process.h). When it ends, and when satdl ends in whatever way (kill -9 too:
// the lifeline between the two then closes), the reaper ends all its descendants: it is their subreaper (prctl(2)), so that not even a
// process with a group or session of its own gets away. If the reaper is killed, the worker dies of PR_SET_PDEATHSIG. The fork is sound:
// the reaper has run no threads.
//
// It is a program of its own because it starts for each stage: as a statically linked one of a few hundred KB in 0.5 ms, where satdl itself
// takes 3 ms to load its libraries; and no LD_PRELOAD that a stage declares for its program reaches it. It starts in the program's
// folder and environment, so that nothing need be sent to it:
//
//   satdl-reaper PROTOCOL MEMORY stage|program [watched] [restricted] -- PROGRAM ARGV...
//
// MEMORY: the limit in bytes; 0: none. `watched`: file_watch.h's listener is sent over the lifeline. `restricted`: to kReaperRules.
// This header is the protocol between the two.
#pragma once

#include "pipeline/executors/memory_limit.h"

namespace satdl {

inline constexpr const char* kReaperProgram = "satdl-reaper";  // beside the running program
inline constexpr const char* kReaperProtocol = "1";            // it may be of another build than a satdl that still runs
inline constexpr const char* kReaperOfStage = "stage";
inline constexpr const char* kReaperOfProgram = "program";
inline constexpr const char* kReaperWatched = "watched";
inline constexpr const char* kReaperRestricted = "restricted";
inline constexpr const char* kReaperEndOfOptions = "--";

// The descriptors that it inherits. All above the first are the worker's.
inline constexpr int kReaperLifeline = 3;
inline constexpr int kWorkerChannel = 4;  // of a stage: its messages
inline constexpr int kWorkerStop = 5;     // ... and its stop flag
inline constexpr int kReaperRules = 4;    // of a restricted program: the rules of landlock.h

// From satdl over the lifeline: SIGTERM to the worker and its group.
inline constexpr char kTerminateWorker = 'T';

// To satdl over the lifeline, whole by whole (SOCK_SEQPACKET). After `Ended` it exits.
struct ReaperMessage {
    enum class Kind : int {
        Watch,       // the listener comes with it
        NotStarted,  // the worker's program: errno is `number`
        Ended,       // the worker, and all its descendants
    };
    Kind kind = Kind::Ended;
    int number = 0;                     // Ended: its status, as waitpid has it
    LimitKind limit = LimitKind::None;  // that it had
    bool out_of_memory = false;         // the kernel killed it, or a process that it started, at the limit
};

}  // namespace satdl
