// The process of one stage, from inside: satdl started as `satdl exec-node STAGE MEMORY`, only by process_executor.h.
//
// It forks under a reaper (reaper.h), receives its job, loads the stage library, runs the stage and sends its output back. Being a new
// program and no fork of a running one, it inherits no thread, lock or state of LibTorch, oneTBB or OpenMP.
#pragma once

#include <string_view>

namespace satdl {

inline constexpr std::string_view kWorkerCommand = "exec-node";
// The descriptors that it inherits: for messages, for its lifeline, for the stop flag.
inline constexpr int kWorkerChannel = 3;
inline constexpr int kWorkerLifeline = 4;
inline constexpr int kWorkerStop = 5;

[[nodiscard]] bool is_worker_call(int argc, char** argv);
// Does not return, except with an exit code if it was not called by satdl.
[[nodiscard]] int run_worker(int argc, char** argv);

}  // namespace satdl
