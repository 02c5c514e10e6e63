// The process of one stage, from inside: satdl started anew as `satdl exec-node STAGE MEMORY`, by process_executor.h and nobody else.
//
// It becomes minded (reaper.h), is told its job, loads the stage library itself, runs the stage and hands its outcome back. Being a new
// program and no fork of a running one, it inherits no thread, lock or state of LibTorch, oneTBB or OpenMP.
#pragma once

#include <string_view>

namespace satdl {

inline constexpr std::string_view kWorkerCommand = "exec-node";
// The descriptors that it finds: to talk over, to live by, to be asked to stop.
inline constexpr int kWorkerChannel = 3;
inline constexpr int kWorkerLifeline = 4;
inline constexpr int kWorkerStop = 5;

[[nodiscard]] bool is_worker_call(int argc, char** argv);
// Does not come back, but for an exit code where it was not called by satdl.
[[nodiscard]] int run_worker(int argc, char** argv);

}  // namespace satdl
